//! Compressing and expanding whole messages, never beyond a limit.

use std::io::{self, Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::wire::media::Coding;

/// Messages below this many bytes gain nothing.
pub(crate) const WORTHWHILE: usize = 1_024;

/// Compresses a message. What cannot be compressed is returned as it is, uncoded.
pub(crate) fn compress(message: Bytes, coding: Coding) -> (Bytes, Coding) {
    let compressed = match coding {
        Coding::Identity => return (message, coding),
        Coding::Gzip => gzip(&message),
        #[cfg(feature = "zstd")]
        Coding::Zstd => zstd::bulk::compress(&message, 1),
    };
    match compressed {
        // The buffer was made for the worst case; a page is kept for others.
        Ok(compressed) => (compressed.into_boxed_slice().into(), coding),
        Err(_) => (message, Coding::Identity),
    }
}

/// A few bytes, at most 255, in this coding as they are, to stand behind others of the same coding: a compressor takes
/// longer to be made than most pages to be sent.
#[cfg(feature = "server")]
pub(crate) fn stored(message: Bytes, coding: Coding) -> Bytes {
    match coding {
        #[cfg(feature = "zstd")]
        Coding::Zstd => {
            // A frame with one raw block (RFC 8878, 3.1.1): magic, "single segment, a byte of content size", the size,
            // "last block, raw, as long as this", the content.
            let length = message.len() as u32;
            debug_assert!(length < 256, "its size is one byte");
            let block = (length << 3 | 1).to_le_bytes();
            let head = [0x28, 0xb5, 0x2f, 0xfd, 0x20, length as u8, block[0], block[1], block[2]];
            [&head[..], &message[..]].concat().into()
        }
        _ => message,
    }
}

fn gzip(message: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(message)?;
    encoder.finish()
}

/// Whether a message, or the part of it that came, begins as those of this coding do. Of nothing there is nothing to
/// unpack.
#[cfg(feature = "client")]
pub(crate) fn begins(message: &[u8], coding: Coding) -> bool {
    let magic: &[u8] = match coding {
        Coding::Identity => &[],
        Coding::Gzip => &[0x1f, 0x8b],
        #[cfg(feature = "zstd")]
        Coding::Zstd => &[0x28, 0xb5, 0x2f, 0xfd],
    };
    !message.is_empty() && message.iter().zip(magic).all(|(byte, expected)| byte == expected)
}

/// Why a message could not be expanded.
#[derive(Debug)]
pub(crate) enum Expand {
    /// It is larger than allowed; nothing beyond the limit was expanded.
    TooLarge,
    /// It is not what its coding says.
    Corrupt(io::Error),
}

/// Expands a message to at most `limit` bytes.
pub(crate) fn expand(message: Bytes, coding: Coding, limit: usize) -> Result<Bytes, Expand> {
    let expanded = match coding {
        Coding::Identity if message.len() > limit => return Err(Expand::TooLarge),
        Coding::Identity => return Ok(message),
        Coding::Gzip => read(MultiGzDecoder::new(&*message), limit),
        #[cfg(feature = "zstd")]
        Coding::Zstd => zstd_decoder(&message).and_then(|decoder| read(decoder, limit)),
    };
    let expanded = expanded.map_err(Expand::Corrupt)?;
    if expanded.len() > limit {
        return Err(Expand::TooLarge);
    }
    Ok(expanded.into())
}

fn read(decoder: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut expanded = Vec::new();
    let beyond = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(beyond).read_to_end(&mut expanded)?;
    Ok(expanded)
}

/// A window of 8 MiB is what RFC 9659 allows; a larger one would be memory that a stranger orders.
#[cfg(feature = "zstd")]
fn zstd_decoder(message: &[u8]) -> io::Result<impl Read> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(message)?;
    decoder.window_log_max(23)?;
    Ok(decoder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codings() -> Vec<Coding> {
        vec![
            Coding::Identity,
            Coding::Gzip,
            #[cfg(feature = "zstd")]
            Coding::Zstd,
        ]
    }

    #[test]
    fn what_was_compressed_is_expanded_again() {
        for coding in codings() {
            for size in [0, 1, 1_000, 100_000] {
                let message: Bytes = (0..size).map(|i| (i % 251) as u8).collect();
                let (compressed, used) = compress(message.clone(), coding);
                assert_eq!(used, coding);
                let expanded = expand(compressed, coding, size).unwrap();
                assert_eq!(expanded, message, "{coding:?} {size}");
            }
        }
    }

    #[test]
    #[cfg(feature = "zstd")]
    fn what_is_stored_behind_a_compressed_message_is_expanded_with_it() {
        let message: Bytes = (0..5_000).map(|i| (i % 251) as u8).collect();
        for length in [0, 1, 10, 255] {
            let (compressed, _) = compress(message.clone(), Coding::Zstd);
            let rest = stored(message.slice(..length), Coding::Zstd);
            let expanded = expand([&compressed[..], &rest[..]].concat().into(), Coding::Zstd, 10_000).unwrap();
            assert_eq!(expanded, [&message[..], &message[..length]].concat());
        }
    }

    #[test]
    fn nothing_is_expanded_beyond_the_limit() {
        let bomb = Bytes::from(vec![0; 50 << 20]);
        for coding in codings() {
            let (compressed, _) = compress(bomb.clone(), coding);
            let refused = expand(compressed, coding, 1 << 20);
            assert!(matches!(refused, Err(Expand::TooLarge)), "{coding:?}");
        }
    }

    #[test]
    fn no_more_is_expanded_than_tells_that_it_is_too_much() {
        assert_eq!(read(io::repeat(0).take(1 << 20), 1_000).unwrap().len(), 1_001);
    }

    #[test]
    fn what_is_cut_or_changed_is_refused() {
        for coding in codings().into_iter().skip(1) {
            let (compressed, _) = compress(Bytes::from(vec![7; 5_000]), coding);
            let cut = compressed.slice(..compressed.len() - 3);
            assert!(matches!(expand(cut, coding, 10_000), Err(Expand::Corrupt(_))));
            let other = Bytes::from_static(b"{\"actions\":[]}");
            assert!(matches!(expand(other, coding, 10_000), Err(Expand::Corrupt(_))));
        }
    }
}
