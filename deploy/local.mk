EXTRA_DIST += deploy
