def symptoms(run, parts, samples):
    return ()
