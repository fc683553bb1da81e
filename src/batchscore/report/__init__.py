"""The page of a job: what came out, told in one HTML file that asks nothing of anywhere."""
