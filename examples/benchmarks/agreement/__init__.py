"""Methods that find domains without labels, each as maps of one value or more per patch."""
