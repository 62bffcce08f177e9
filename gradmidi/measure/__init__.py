"""What is measured while a network trains. With experiments/ the only room that imports torch."""
