"""The Spark side: the session, the one action of a job, and what its tasks are given and answer."""
