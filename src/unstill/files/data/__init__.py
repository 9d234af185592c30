"""Small data that the package ships."""
