// Prints your weights. Needs Node 18 or newer and nothing else: node weights.mjs
import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

const token = (flags = [], input = "") => {
  const options = { input, encoding: "utf8", stdio: ["pipe", "pipe", "inherit"] };
  const { error, status, stdout } = spawnSync("withings-auth", ["token", ...flags], options);
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1); // the command has said why
  return stdout.trim();
};

const post = async (held, service, parameters) => {
  const headers = { Authorization: `Bearer ${held}` };
  const request = { method: "POST", headers, body: new URLSearchParams(parameters), redirect: "error" };
  return (await fetch(`https://wbsapi.withings.net/${service}`, request)).json();
};

const withings = async (...call) => {
  const held = token();
  const answer = await post(held, ...call);
  if (answer.status === 401) return post(token(["--rejected-stdin"], held), ...call); // renewed and repeated, once
  if (answer.status !== 601) return answer;
  await sleep(1000 * (answer.body?.wait_seconds ?? 11)); // Withings does not answer the same call twice in ten seconds
  return post(held, ...call);
};

const { status, error, body } = await withings("measure", { action: "getmeas", meastype: "1" });
if (status !== 0) throw new Error(`Withings says ${status}: ${error}`);
for (const { date, measures: [{ value, unit }] } of body.measuregrps) {
  console.log(new Date(date * 1000).toISOString().slice(0, 10), (value * 10 ** unit).toFixed(1), "kg");
}
