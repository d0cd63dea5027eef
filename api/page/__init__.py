"""The page: what a person with a browser reads and decides, under `/`, in the service's own process."""
