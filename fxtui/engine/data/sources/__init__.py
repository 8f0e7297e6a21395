"""Where images come from: the embedded digits, folders, manifests, torchvision's data sets."""
