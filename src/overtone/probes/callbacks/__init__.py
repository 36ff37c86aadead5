"""Callbacks for the trainers of Lightning and Hugging Face Transformers."""
