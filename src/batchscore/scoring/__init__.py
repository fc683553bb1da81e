"""The heart: a split of an input -> its part."""
