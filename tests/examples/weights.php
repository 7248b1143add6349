<?php
// Prints your weights. Needs PHP 8 and nothing else: php weights.php
exec('withings-auth api measure getmeas meastype=1', $lines, $code);
if ($code !== 0) {
    exit($code); // the command has said why
}
$answer = json_decode(implode($lines), flags: JSON_THROW_ON_ERROR);
foreach ($answer->measuregrps as $group) {
    [$weight] = $group->measures;
    printf("%s %.1f kg\n", date('Y-m-d', $group->date), $weight->value * 10 ** $weight->unit);
}
