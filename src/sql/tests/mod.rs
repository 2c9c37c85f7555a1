//! The front end from text to statements, by example.
