"""What a doctor looks at: a checklist of this machine, with a verdict and a remedy for each line.

Made to be pasted into a public bug report: no secret stands in it, and nothing that says whose machine this is.
"""
