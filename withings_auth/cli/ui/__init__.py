"""The terminal, for every command: output, prompts, keyboard, colours and signals."""
