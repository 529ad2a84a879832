"""What follows from a fact: numbering, fan-out, messages. Decides no facts."""
