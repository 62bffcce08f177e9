"""What is measured while a network trains. With integrations/ and experiments/ the only package that imports torch."""
