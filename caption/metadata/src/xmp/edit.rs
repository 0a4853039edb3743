//! Changes of an XMP packet.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;

use quick_xml::escape::{escape, partial_escape};

use super::{DEFAULT_LANGUAGE, Item, Name, RDF, Texts, Xmp, is_default, scan};
use crate::{Error, Result};

/// The beginning of the end of a packet, before which editors leave space to grow.
const END_OF_PACKET: &str = "<?xpacket end=";

impl Xmp {
    /// The packet with these texts for everybody in place of its own; those of other languages stay. Space for growth is
    /// used up first, so that the packet stays as long as it was while there is some.
    ///
    /// # Errors
    /// [`Error::Xmp`] if one of the properties is more than texts, or the result would not be a packet.
    pub(crate) fn with(&self, texts: &Texts) -> Result<Self> {
        let mut written = self.scan.properties.iter().filter(|property| property.name.is_written());
        if let Some(property) = written.find(|property| !property.is_plain) {
            return Err(Error::xmp(format!(
                "its property {} has qualifiers or comments that a change would lose",
                property.name.parts().2
            )));
        }
        for name in [Name::Description, Name::AltText] {
            if self.items(name).filter(|item| is_default(item)).count() > 1 {
                return Err(Error::xmp(format!(
                    "its property {} has several texts, of which a change would keep one",
                    name.parts().2
                )));
            }
        }
        let mut source = self.source.clone();
        let insertion = self.insert(&mut source, &self.block(texts));
        for range in self.ranges_to_remove().into_iter().rev() {
            debug_assert!(range.end <= insertion, "the block is inserted after all properties");
            source.replace_range(range, "");
        }
        let growth = source.len().saturating_sub(self.source.len());
        use_up_padding(&mut source, growth);
        let scan = scan::scan(&source)?;
        Ok(Self { has_bom: self.has_bom, source, scan })
    }

    /// Inserts a block at the end of the RDF; returns where.
    fn insert(&self, source: &mut String, block: &str) -> usize {
        let end = self.scan.end_of_rdf.start;
        match &self.scan.empty_rdf {
            _ if block.is_empty() => {}
            None => source.insert_str(end, block),
            Some(name) => {
                source.replace_range(end - "/>".len()..end, &format!(">\n{block}</{name}>"));
            }
        }
        end
    }

    /// An `rdf:Description` with the texts; nothing if there are none.
    fn block(&self, texts: &Texts) -> String {
        let mut block = Block::default();
        let values = [
            (Name::Description, texts.description.as_ref()),
            (Name::AltText, texts.alt_text.as_ref()),
        ];
        for (name, text) in values {
            let language = Some(DEFAULT_LANGUAGE.to_owned());
            let text = text.map(|text| Item { language, text: text.clone() });
            let others = self.items(name).filter(|item| !is_default(item)).cloned();
            let items = text.into_iter().chain(others).collect::<Vec<_>>();
            if !items.is_empty() {
                block.add(name, &alternatives(&items));
            }
        }
        if let Some(record) = &texts.record {
            block.add(Name::Model, &partial_escape(record.model.as_str()));
            block.add(Name::TextHash, &partial_escape(record.text_hash.as_str()));
        }
        block.finish(&self.scan.about)
    }

    /// The bytes of the properties that are written anew, and of descriptions that have no others; in order, apart.
    fn ranges_to_remove(&self) -> Vec<Range<usize>> {
        let ours = self.scan.descriptions.iter().filter(|description| description.is_ours());
        let blocks = ours.map(|description| self.whole_lines(description.range.clone()));
        let blocks = blocks.collect::<Vec<_>>();
        let written = self.scan.properties.iter().filter(|property| property.name.is_written());
        let within_block = |range: &Range<usize>| {
            blocks.iter().any(|block| block.start <= range.start && range.end <= block.end)
        };
        let alone = written.map(|property| property.range.clone());
        let alone = alone.filter(|range| !within_block(range)).map(|range| self.with_space(range));
        let mut ranges = alone.chain(blocks.iter().cloned()).collect::<Vec<_>>();
        ranges.sort_by_key(|range| range.start);
        ranges
    }

    /// A range with the blanks before it and the line end after it.
    fn whole_lines(&self, range: Range<usize>) -> Range<usize> {
        let before = self.source[..range.start].trim_end_matches([' ', '\t']).len();
        let after = usize::from(self.source[range.end..].starts_with('\n'));
        before..range.end + after
    }

    /// A range with the white space before it.
    fn with_space(&self, range: Range<usize>) -> Range<usize> {
        self.source[..range.start].trim_end().len()..range.end
    }
}

/// An `rdf:Description` in the making.
#[derive(Default)]
struct Block {
    /// Declarations of namespaces, each once.
    namespaces: BTreeSet<String>,
    properties: String,
}

impl Block {
    /// Adds a property with this content.
    fn add(&mut self, name: Name, content: &str) {
        let (prefix, namespace, local) = name.parts();
        self.namespaces.insert(format!(" xmlns:{prefix}=\"{namespace}\""));
        let _ = writeln!(self.properties, "  <{prefix}:{local}>{content}</{prefix}:{local}>");
    }

    /// The description; nothing if it has no properties. `about` is the value of its `rdf:about` as it is written.
    fn finish(self, about: &str) -> String {
        if self.properties.is_empty() {
            return self.properties;
        }
        let (about, namespaces) =
            (about.replace('"', "&quot;"), String::from_iter(self.namespaces));
        format!(
            " <rdf:Description rdf:about=\"{about}\" xmlns:rdf=\"{RDF}\"{namespaces}>\n{} </rdf:Description>\n",
            self.properties
        )
    }
}

/// A text in several languages.
fn alternatives(items: &[Item]) -> String {
    let item = |Item { language, text }: &Item| {
        let language = escape(language.as_deref().unwrap_or(DEFAULT_LANGUAGE));
        format!("<rdf:li xml:lang=\"{language}\">{}</rdf:li>", partial_escape(text.as_str()))
    };
    format!("<rdf:Alt>{}</rdf:Alt>", items.iter().map(item).collect::<String>())
}

/// Removes up to `most` bytes of the white space at the end of a packet.
fn use_up_padding(source: &mut String, most: usize) {
    let Some(end) = source.rfind(END_OF_PACKET) else { return };
    let text = source[..end].trim_end().len();
    // A line end stays before the end of the packet.
    let unused = (end - text).saturating_sub(1);
    source.replace_range(text..text + unused.min(most), "");
}
