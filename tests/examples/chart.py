"""Draws the weights in weights.csv (see "In the shell" in the README) as weights.png, which only you can read.

It needs matplotlib: pip install matplotlib (on Debian or Ubuntu: apt install python3-matplotlib).
"""

import csv
import os
from datetime import datetime
from pathlib import Path

import matplotlib.pyplot as plt

os.umask(0o077)
rows = list(csv.DictReader(Path("weights.csv").read_text().splitlines()))
plt.plot([datetime.fromisoformat(row["date"]) for row in rows], [float(row["value"]) for row in rows])
plt.ylabel("weight in kg")
plt.savefig("weights.png")
