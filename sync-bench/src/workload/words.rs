//! Text that compresses about as text does: invented words, the frequent ones often.

use super::random::Random;

const WORDS: usize = 4_000;

pub(crate) struct Words {
    words: Vec<String>,
    /// How likely a word is that stands at or before each place (Zipf).
    up_to: Vec<f64>,
}

impl Words {
    pub(crate) fn new(random: &mut Random) -> Self {
        const ONSETS: [&str; 16] = ["b", "ch", "d", "f", "gr", "h", "k", "l", "m", "n", "p", "r", "st", "t", "v", "w"];
        const VOWELS: [&str; 8] = ["a", "e", "i", "o", "u", "ea", "ou", "ie"];
        const CODAS: [&str; 8] = ["", "n", "r", "s", "t", "ll", "nd", "ck"];
        let words = (0..WORDS).map(|place| {
            // Frequent words are short.
            let syllables = 1 + usize::from(place > 40) + usize::from(place > 1_000);
            let mut word = String::new();
            for _ in 0..syllables {
                word.push_str(ONSETS[random.below(16)]);
                word.push_str(VOWELS[random.below(8)]);
                word.push_str(CODAS[random.below(8)]);
            }
            word
        });
        let mut sum = 0.0;
        let up_to = (1..=WORDS).map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        });
        let mut up_to: Vec<f64> = up_to.collect();
        up_to.iter_mut().for_each(|p| *p /= sum);
        Self { words: words.collect(), up_to }
    }

    /// Words of about so many characters in all.
    pub(crate) fn text(&self, random: &mut Random, characters: usize) -> String {
        let length = characters / 2 + random.below(characters);
        let mut text = String::with_capacity(length + 16);
        while text.len() < length {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(self.word(random));
        }
        text
    }

    pub(crate) fn word(&self, random: &mut Random) -> &str {
        let at = random.unit();
        let place = self.up_to.partition_point(|p| *p < at);
        &self.words[place.min(WORDS - 1)]
    }
}
