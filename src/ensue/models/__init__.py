"""Complete models: resumable maps from what came before to the distribution of what comes next."""
