//! Bytes that are nearly those of a corpus: a small fuzzer that needs no tools.

use crate::random::Random;

/// Changes that one mutant has at most.
const CHANGES_MAX: usize = 4;

/// Longer than this a mutant does not get.
const BYTES_MAX: usize = 4_096;

/// A mutant of one of `seeds`, with parts of the others in it.
pub fn mutant(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(CHANGES_MAX) {
        change(&mut bytes, &seeds[random.below(seeds.len())], random);
    }
    bytes.truncate(BYTES_MAX);
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let end = at + random.below((bytes.len() - at).min(16) + 1);
    match random.below(5) {
        0 => {
            bytes.drain(at..end);
        }
        1 => {
            let copy = bytes[at..end].to_vec();
            bytes.splice(at..at, copy);
        }
        2 => {
            let from = random.below(other.len() + 1);
            let to = from + random.below((other.len() - from).min(32) + 1);
            bytes.splice(at..end, other[from..to].iter().copied());
        }
        3 => {
            // What means something to a parser is tried more often than the rest.
            const SPECIAL: &[u8] = b"\"'`\\,;:{}[]()<>#-+.eE0129\n\r\t $*/nut\0\x7f\x80\xc3\xff";
            bytes.insert(at, SPECIAL[random.below(SPECIAL.len())]);
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
}
