//! Server-sent events: how a hub tells that its log grew.

use super::Unreadable;

/// The event that tells how long the log is.
pub fn event(seq: u64) -> String {
    format!("id: {seq}\ndata: {{\"cursor\":{seq}}}\n\n")
}

/// What keeps a connection alive on which nothing happens.
pub const HEARTBEAT: &str = ":\n\n";

/// The longest line that is read.
const MAX_LINE: usize = 4_096;

/// Reads events from the bytes of a stream, as they come.
#[derive(Debug, Default)]
pub struct Events {
    line: Vec<u8>,
    data: String,
}

#[derive(serde::Deserialize)]
struct Data {
    cursor: u64,
}

impl Events {
    /// Takes more bytes, and returns the greatest cursor that they told, if they told one.
    ///
    /// # Errors
    /// If a line is longer than any that a hub sends, or an event is not one of ours.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Option<u64>, Unreadable> {
        let mut greatest = None;
        for byte in bytes {
            match byte {
                b'\n' => greatest = greatest.max(self.end_line()?),
                b'\r' => {}
                byte if self.line.len() < MAX_LINE => self.line.push(*byte),
                _ => return Err(Unreadable::new("a line of the event stream is too long")),
            }
        }
        Ok(greatest)
    }

    fn end_line(&mut self) -> Result<Option<u64>, Unreadable> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            if data.is_empty() {
                return Ok(None);
            }
            let data: Data = serde_json::from_str(&data)?;
            return Ok(Some(data.cursor));
        }
        if let Some(data) = line.strip_prefix(b"data:") {
            if self.data.len() + data.len() > MAX_LINE {
                return Err(Unreadable::new("an event of the stream is too long"));
            }
            self.data.push_str(&String::from_utf8_lossy(data));
        }
        Ok(None)
    }
}
