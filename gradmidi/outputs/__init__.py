"""Score → something a person can use: a file of notes, of sound, a picture. The only room that touches devices."""
