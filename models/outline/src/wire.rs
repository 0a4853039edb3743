//! The wire format of protocol buffers: <https://protobuf.dev/programming-guides/encoding/>.

/// Bytes that are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    /// An integer.
    Number(u64),
    /// A text, bytes or a message.
    Bytes(&'a [u8]),
    /// A number of fixed width, which nothing here uses.
    Fixed,
}

/// The fields of a message with their numbers, in the order in which they are stored. Ends after an error.
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn field(&mut self) -> Result<(u64, Field<'a>), Malformed> {
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Number(self.varint()?),
            1 => self.take(8).map(|_| Field::Fixed)?,
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                Field::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Field::Fixed)?,
            _ => return Err(Malformed),
        };
        Ok((key >> 3, field))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    /// A number in groups of seven bits, the lowest first.
    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for group in 0..10 {
            let byte = *self.take(1)?.first().ok_or(Malformed)?;
            number |= u64::from(byte & 0x7F) << (7 * group);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Malformed)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Field<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// The name of a `TensorProto`; empty if it has none.
pub(crate) fn tensor_name(message: &[u8]) -> Result<String, Malformed> {
    let mut name = String::new();
    for field in Fields::new(message) {
        if let (8, Field::Bytes(bytes)) = field? {
            str::from_utf8(bytes).map_err(|_| Malformed)?.clone_into(&mut name);
        }
    }
    Ok(name)
}

/// The key and the value of a `StringStringEntryProto`.
pub(crate) fn entry(message: &[u8]) -> Result<(String, String), Malformed> {
    let (mut key, mut value) = (String::new(), String::new());
    for field in Fields::new(message) {
        let (text, bytes) = match field? {
            (1, Field::Bytes(bytes)) => (&mut key, bytes),
            (2, Field::Bytes(bytes)) => (&mut value, bytes),
            _ => continue,
        };
        str::from_utf8(bytes).map_err(|_| Malformed)?.clone_into(text);
    }
    Ok((key, value))
}
