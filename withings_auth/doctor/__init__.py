"""A checklist of this machine, each check with a remedy; its report holds nothing that is secret or personal."""
