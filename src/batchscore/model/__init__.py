"""The model: found in the registry, loaded by its library, given records in the types it was trained on."""
