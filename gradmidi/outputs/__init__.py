"""Score → output: a file of notes or sound, a picture, live MIDI. The only package that touches devices."""
