"""Somebody's own folders of images and labels."""
