"""All that is done before anything is written: inputs found and looked at, the model tried, the plan made."""
