//! The places of properties in an XMP packet.

use std::ops::Range;

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, NamespaceResolver, ResolveResult};
use quick_xml::{NsReader, XmlVersion};

use super::{Item, Name, Property, RDF, XML};
use crate::{Error, Result};

/// The deepest elements of a packet.
const MAX_DEPTH: usize = 64;

/// An `rdf:Description` directly below `rdf:RDF`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description {
    /// Its bytes.
    pub(super) range: Range<usize>,
    /// Whether it has properties that this crate writes.
    has_ours: bool,
    /// Whether it has others.
    has_others: bool,
}

impl Description {
    /// Whether it has the properties that this crate writes and no others.
    pub(super) fn is_ours(&self) -> bool {
        self.has_ours && !self.has_others
    }

    fn add(&mut self, name: Option<Name>) {
        let is_ours = name.is_some_and(Name::is_written);
        self.has_ours |= is_ours;
        self.has_others |= !is_ours;
    }
}

/// What a packet has, and where.
#[derive(Debug, Clone, Default)]
pub(super) struct Scan {
    pub(super) properties: Vec<Property>,
    pub(super) descriptions: Vec<Description>,
    /// The value of `rdf:about` as it is written.
    pub(super) about: String,
    /// The end tag of `rdf:RDF`, or the end of its tag if it has no content.
    pub(super) end_of_rdf: Range<usize>,
    /// The name of `rdf:RDF` with its prefix, if it has no content.
    pub(super) empty_rdf: Option<String>,
}

/// The place of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Rdf,
    Description,
    /// A property that is read.
    Property,
    /// The list of a property's items.
    List,
    Item,
    Other,
}

/// Finds the properties of a packet.
///
/// # Errors
/// [`Error::Xmp`] if it is not well-formed or has no RDF.
pub(super) fn scan(source: &str) -> Result<Scan> {
    let mut scanner = Scanner { source, scan: Scan::default(), open: Vec::new(), has_rdf: false };
    let mut reader = NsReader::from_str(source);
    reader.config_mut().expand_empty_elements = true;
    loop {
        let start = reader.buffer_position() as usize;
        let event = reader.read_event().map_err(Error::not_well_formed)?;
        let range = start..reader.buffer_position() as usize;
        match event {
            Event::Start(tag) => scanner.open(reader.resolver(), &tag, range)?,
            Event::End(_) => scanner.close(range),
            Event::Text(text) => scanner.add(&text.xml10_content()),
            Event::CData(text) => scanner.add(&text.xml10_content()),
            Event::GeneralRef(reference) => scanner.add(&resolve(&reference)?),
            Event::Comment(_) | Event::PI(_) if scanner.is_in_property() => {
                scanner.last_is_not_plain();
            }
            Event::DocType(_) => {
                return Err(Error::xmp("it has a document type, which XMP forbids"));
            }
            Event::Eof if !scanner.open.is_empty() => return Err(Error::xmp("it ends too early")),
            Event::Eof if !scanner.has_rdf => return Err(Error::xmp("it has no RDF")),
            Event::Eof => return Ok(scanner.scan),
            _ => {}
        }
    }
}

/// The text of a reference such as `&amp;` or `&#228;`.
fn resolve(reference: &BytesRef) -> Result<String> {
    let character = reference.resolve_char_ref().map_err(Error::not_well_formed)?;
    let predefined = || resolve_predefined_entity(reference).map(str::to_owned);
    let text = character.map(String::from).or_else(predefined);
    text.ok_or_else(|| Error::xmp(format!("it has the unknown entity &{};", &**reference)))
}

struct Scanner<'a> {
    source: &'a str,
    scan: Scan,
    /// The open elements.
    open: Vec<Place>,
    has_rdf: bool,
}

impl<'a> Scanner<'a> {
    fn open(
        &mut self,
        names: &NamespaceResolver,
        tag: &BytesStart<'a>,
        range: Range<usize>,
    ) -> Result<()> {
        if self.open.len() == MAX_DEPTH {
            return Err(Error::xmp("its elements are nested too deeply"));
        }
        let (namespace, local) = names.resolve_element(tag.name());
        let (namespace, local) = (uri(&namespace), local.into_inner());
        let parent = self.open.last().copied().unwrap_or(Place::Other);
        let place = match (parent, namespace, local) {
            (Place::Other, RDF, "RDF") if !self.has_rdf => {
                self.has_rdf = true;
                let is_empty = self.source[range.clone()].ends_with("/>");
                self.scan.empty_rdf = is_empty.then(|| tag.name().into_inner().to_owned());
                Place::Rdf
            }
            (Place::Rdf, RDF, "Description") => {
                self.open_description(names, tag, &range)?;
                Place::Description
            }
            (Place::Description, ..) => {
                self.open_property(Name::from_uri(namespace, local), tag, &range)?
            }
            (Place::Property, RDF, "Alt" | "Seq" | "Bag") => Place::List,
            (Place::List, RDF, "li") => {
                self.open_item(names, tag)?;
                Place::Item
            }
            (Place::Property | Place::List | Place::Item, ..) => {
                self.last_is_not_plain();
                Place::Other
            }
            _ => Place::Other,
        };
        self.open.push(place);
        Ok(())
    }

    fn open_description(
        &mut self,
        names: &NamespaceResolver,
        tag: &BytesStart<'a>,
        range: &Range<usize>,
    ) -> Result<()> {
        let mut description =
            Description { range: range.clone(), has_ours: false, has_others: false };
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(Error::not_well_formed)?;
            let (namespace, local) = names.resolve_attribute(attribute.key);
            match (uri(&namespace), local.into_inner()) {
                (RDF, "about") => attribute.value.as_ref().clone_into(&mut self.scan.about),
                (namespace, local) if !is_declaration(&attribute) => {
                    let name = Name::from_uri(namespace, local);
                    description.add(name);
                    if let Some(name) = name {
                        self.add_attribute(name, &attribute)?;
                    }
                }
                _ => {}
            }
        }
        self.scan.descriptions.push(description);
        Ok(())
    }

    /// Adds a property that is an attribute.
    fn add_attribute(&mut self, name: Name, attribute: &Attribute) -> Result<()> {
        let value = attribute.normalized_value(XmlVersion::Explicit1_0);
        let text = value.map_err(Error::not_well_formed)?.into_owned();
        let start = offset(self.source, attribute.key.into_inner());
        // The value is between quotes.
        let end = offset(self.source, attribute.value.as_ref()) + attribute.value.len() + 1;
        let items = vec![Item { language: None, text }];
        self.scan.properties.push(Property { name, range: start..end, items, is_plain: true });
        Ok(())
    }

    fn open_property(
        &mut self,
        name: Option<Name>,
        tag: &BytesStart,
        range: &Range<usize>,
    ) -> Result<Place> {
        if let Some(description) = self.scan.descriptions.last_mut() {
            description.add(name);
        }
        let Some(name) = name else { return Ok(Place::Other) };
        let (range, items, mut is_plain) = (range.clone(), Vec::new(), true);
        for attribute in tag.attributes() {
            is_plain &= is_declaration(&attribute.map_err(Error::not_well_formed)?);
        }
        self.scan.properties.push(Property { name, range, items, is_plain });
        Ok(Place::Property)
    }

    fn open_item(&mut self, names: &NamespaceResolver, tag: &BytesStart) -> Result<()> {
        let mut language = None;
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(Error::not_well_formed)?;
            let (namespace, local) = names.resolve_attribute(attribute.key);
            if (uri(&namespace), local.into_inner()) == (XML, "lang") {
                language = Some(attribute.value.into_owned());
            } else if !is_declaration(&attribute) {
                self.last_is_not_plain();
            }
        }
        if let Some(property) = self.scan.properties.last_mut() {
            property.items.push(Item { language, text: String::new() });
        }
        Ok(())
    }

    fn is_in_property(&self) -> bool {
        self.open.contains(&Place::Property)
    }

    fn last_is_not_plain(&mut self) {
        if let Some(property) = self.scan.properties.last_mut() {
            property.is_plain = false;
        }
    }

    /// Adds text to the open item, or to the open property if its text is not a list.
    fn add(&mut self, text: &str) {
        let Some((place, property)) = self.open.last().zip(self.scan.properties.last_mut()) else {
            return;
        };
        match (place, property.items.last_mut()) {
            (Place::Item, Some(item)) => item.text.push_str(text),
            (Place::Property, Some(item)) if item.language.is_none() => item.text.push_str(text),
            (Place::Property, None) if !text.trim().is_empty() => {
                property.items.push(Item { language: None, text: text.to_owned() });
            }
            _ => {}
        }
    }

    fn close(&mut self, range: Range<usize>) {
        let Some(place) = self.open.pop() else { return };
        match place {
            Place::Rdf => self.scan.end_of_rdf = range,
            Place::Description => {
                if let Some(description) = self.scan.descriptions.last_mut() {
                    description.range.end = range.end;
                }
            }
            Place::Property => {
                if let Some(property) = self.scan.properties.last_mut() {
                    property.range.end = range.end;
                }
            }
            Place::List | Place::Item | Place::Other => {}
        }
    }
}

/// Whether an attribute declares a namespace.
fn is_declaration(attribute: &Attribute) -> bool {
    attribute.key.as_namespace_binding().is_some()
}

fn uri<'a>(namespace: &ResolveResult<'a>) -> &'a str {
    match namespace {
        ResolveResult::Bound(Namespace(uri)) => uri,
        ResolveResult::Unbound | ResolveResult::Unknown(_) => "",
    }
}

/// The place of `part` in `source`, of which it is a slice.
fn offset(source: &str, part: &str) -> usize {
    part.as_ptr() as usize - source.as_ptr() as usize
}
