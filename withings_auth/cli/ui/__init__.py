"""What every command shares with the person at the terminal: output, prompts, keys, colour and signals."""
