"""One module per version; what a released one does is never changed."""
