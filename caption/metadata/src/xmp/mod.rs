//! XMP packets (ISO 16684-1): the caption, the alt text and Showtell's own record are read and replaced; every other byte
//! stays as it is.

mod edit;
mod scan;

use std::ops::Range;

use self::scan::Scan;
use crate::record::Record;
use crate::{Error, Result};

/// The namespace of Dublin Core, with the description.
const DC: &str = "http://purl.org/dc/elements/1.1/";
/// The namespace of the IPTC Core schema, with the alt text.
const IPTC_CORE: &str = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/";
/// The namespace of RDF.
const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
/// The namespace of the properties that say what Showtell wrote.
const SHOWTELL: &str = "urn:x-showtell:caption:1.0/";
/// The namespace of Dublin Core's terms, with the address of signed provenance that lies elsewhere.
const DC_TERMS: &str = "http://purl.org/dc/terms/";
/// The namespace of `xml:lang`.
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// The byte-order mark.
const BOM: &str = "\u{FEFF}";

/// The language of the text for everybody.
const DEFAULT_LANGUAGE: &str = "x-default";

/// A property of a photo that this crate reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// `dc:description`: the caption.
    Description,
    /// `Iptc4xmpCore:AltTextAccessibility`: the alt text.
    AltText,
    /// The model whose text was written.
    Model,
    /// The hash of the text that was written.
    TextHash,
    /// `dcterms:provenance`: the address of signed provenance.
    Provenance,
}

impl Name {
    const ALL: [Self; 5] =
        [Self::Description, Self::AltText, Self::Model, Self::TextHash, Self::Provenance];

    /// The usual prefix of its namespace, the namespace, and its name.
    fn parts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Description => ("dc", DC, "description"),
            Self::AltText => ("Iptc4xmpCore", IPTC_CORE, "AltTextAccessibility"),
            Self::Model => ("showtell", SHOWTELL, "Model"),
            Self::TextHash => ("showtell", SHOWTELL, "TextHash"),
            Self::Provenance => ("dcterms", DC_TERMS, "provenance"),
        }
    }

    fn from_uri(namespace: &str, local: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| {
            let (_, own, name) = name.parts();
            (namespace, local) == (own, name)
        })
    }

    /// Whether this crate writes it.
    fn is_written(self) -> bool {
        self != Self::Provenance
    }
}

/// The text of a property in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    /// Its `xml:lang`, if it has one.
    language: Option<String>,
    text: String,
}

/// A property and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Property {
    name: Name,
    /// Its bytes in the packet.
    range: Range<usize>,
    items: Vec<Item>,
    /// Whether it is a text, or a text per language, and nothing else.
    is_plain: bool,
}

/// An XMP packet.
#[derive(Debug, Clone)]
pub(crate) struct Xmp {
    /// Whether a byte-order mark precedes the source.
    has_bom: bool,
    source: String,
    scan: Scan,
}

/// The texts of a packet that this crate writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Texts {
    /// The description for everybody.
    pub(crate) description: Option<String>,
    /// The alt text for everybody.
    pub(crate) alt_text: Option<String>,
    /// What Showtell wrote.
    pub(crate) record: Option<Record>,
}

impl Xmp {
    /// A packet without properties.
    pub(crate) fn new() -> Self {
        let source = format!(
            "<?xpacket begin=\"\u{FEFF}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n\
             <x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n<rdf:RDF xmlns:rdf=\"{RDF}\">\n</rdf:RDF>\n</x:xmpmeta>\n\
             <?xpacket end=\"w\"?>"
        );
        let scan = scan::scan(&source).unwrap_or_default();
        Self { has_bom: false, source, scan }
    }

    /// Reads a packet.
    ///
    /// # Errors
    /// [`Error::Xmp`] if it is not UTF-8, not well-formed, or has no RDF.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
        let text = str::from_utf8(bytes).map_err(|_| Error::xmp("not UTF-8"))?;
        let source = text.strip_prefix(BOM).unwrap_or(text).to_owned();
        let scan = scan::scan(&source)?;
        Ok(Self { has_bom: text.starts_with(BOM), source, scan })
    }

    /// The texts that are there.
    pub(crate) fn texts(&self) -> Texts {
        let text = |name| self.text(name).map(str::to_owned);
        let record = match (text(Name::Model), text(Name::TextHash)) {
            (Some(model), Some(text_hash)) => Some(Record { model, text_hash }),
            _ => None,
        };
        Texts { description: text(Name::Description), alt_text: text(Name::AltText), record }
    }

    /// Whether it has the address of signed provenance (C2PA) that lies elsewhere.
    pub(crate) fn has_provenance(&self) -> bool {
        self.text(Name::Provenance).is_some()
    }

    /// Whether it has no properties at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.scan.descriptions.is_empty()
    }

    /// The bytes of the packet.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let bom = if self.has_bom { BOM } else { "" };
        [bom.as_bytes(), self.source.as_bytes()].concat()
    }

    /// The text of a property for everybody: that without a language or of the default one, else the first.
    fn text(&self, name: Name) -> Option<&str> {
        let mut items = self.items(name).peekable();
        let first = items.peek().copied();
        let text = items.find(|item| is_default(item)).or(first)?.text.as_str();
        (!text.trim().is_empty()).then_some(text)
    }

    fn items(&self, name: Name) -> impl Iterator<Item = &Item> {
        let named = self.scan.properties.iter().filter(move |property| property.name == name);
        named.flat_map(|property| &property.items)
    }
}

fn is_default(item: &Item) -> bool {
    item.language.as_deref().is_none_or(|language| language.eq_ignore_ascii_case(DEFAULT_LANGUAGE))
}

#[cfg(test)]
mod tests;
