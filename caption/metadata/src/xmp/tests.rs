use super::*;

/// A sidecar with a rating, keywords, a title in a struct, a comment, and a description in two languages.
const OF_OTHERS: &str = r"<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>
<x:xmpmeta xmlns:x='adobe:ns:meta/' x:xmptk='Image::ExifTool 12.57'>
<!-- made by hand -->
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
 <rdf:Description rdf:about='uuid:a&amp;b'
  xmlns:xmp='http://ns.adobe.com/xap/1.0/' xmp:Rating='4'>
  <dcx:subject xmlns:dcx='http://purl.org/dc/elements/1.1/'>
   <rdf:Bag><rdf:li>Rex &amp; friends</rdf:li></rdf:Bag>
  </dcx:subject>
 </rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end='w'?>
";

fn texts(description: Option<&str>, alt_text: Option<&str>) -> Texts {
    let record = Some(Record::new("showtell 0.1.0 abc", "A dog runs."));
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Texts { description: owned(description), alt_text: owned(alt_text), record }
}

#[test]
fn texts_are_added_and_removed_and_no_other_byte_changes() {
    let before = Xmp::parse(OF_OTHERS.as_bytes()).unwrap();
    assert_eq!(before.texts(), Texts::default());
    let ours = texts(Some("A dog & <a cat> \"run\"."), Some("A dog runs."));
    let with = before.with(&ours).unwrap();
    assert_eq!(with.texts(), ours);
    assert!(with.source.contains("rdf:about=\"uuid:a&amp;b\""), "{}", with.source);
    let other = texts(Some("Two dogs."), Some("Two dogs."));
    let again = with.with(&other).unwrap();
    assert_eq!(again.texts(), other);
    assert_eq!(again.source.matches("rdf:Description").count(), 4, "{}", again.source);
    assert_eq!(again.with(&Texts::default()).unwrap().source, OF_OTHERS);
    // With a byte-order mark.
    let marked = [BOM, OF_OTHERS].concat();
    let with = Xmp::parse(marked.as_bytes()).unwrap().with(&ours).unwrap();
    assert_eq!(Xmp::parse(&with.to_bytes()).unwrap().texts(), ours);
    assert_eq!(with.with(&Texts::default()).unwrap().to_bytes(), marked.as_bytes());
}

#[test]
fn a_new_packet_has_nothing_but_the_texts() {
    let ours = texts(Some("A dog runs."), None);
    let with = Xmp::new().with(&ours).unwrap();
    assert_eq!(with.texts(), ours);
    assert!(!with.is_empty() && !with.source.contains("DigitalSourceType"));
    let without = with.with(&Texts::default()).unwrap();
    assert!(without.is_empty());
    assert_eq!(without.source, Xmp::new().source);
}

#[test]
fn other_languages_and_other_properties_of_the_same_description_stay() {
    let source = OF_OTHERS.replace(
        "  <dcx:subject",
        "  <dc:description xmlns:dc='http://purl.org/dc/elements/1.1/'>\n   <rdf:Alt>\n    \
         <rdf:li xml:lang='x-default'>My dog</rdf:li>\n    <rdf:li xml:lang='vi'>Chó &#7889;m</rdf:li>\n   </rdf:Alt>\n  \
         </dc:description>\n  <dcx:subject",
    );
    let xmp = Xmp::parse(source.as_bytes()).unwrap();
    assert_eq!(xmp.texts().description.unwrap(), "My dog");
    let with = xmp.with(&texts(Some("A dog."), Some("A dog."))).unwrap();
    assert_eq!(with.texts().description.unwrap(), "A dog.");
    for part in ["<rdf:li xml:lang=\"vi\">Chó ốm</rdf:li>", "xmp:Rating='4'", "Rex &amp; friends"]
    {
        assert!(with.source.contains(part), "no {part} in {}", with.source);
    }
    assert!(!with.source.contains("My dog"));
    let without = with.with(&Texts::default()).unwrap();
    assert_eq!(without.texts().description.unwrap(), "Chó ốm", "of another language");
}

#[test]
fn properties_as_attributes_and_empty_elements_are_read_and_replaced() {
    let head = "<x:xmpmeta xmlns:x='adobe:ns:meta/'><r:RDF xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-ns#'";
    let attribute = format!(
        "{head}><r:Description r:about='' xmlns:dc='http://purl.org/dc/elements/1.1/' dc:description='My &quot;dog&quot;' \
         dc:format='image/jpeg'/></r:RDF></x:xmpmeta>"
    );
    let xmp = Xmp::parse(attribute.as_bytes()).unwrap();
    assert_eq!(xmp.texts().description.unwrap(), "My \"dog\"");
    let with = xmp.with(&texts(Some("A dog."), None)).unwrap();
    assert_eq!(with.texts().description.unwrap(), "A dog.");
    assert!(with.source.contains(" dc:format='image/jpeg'/>"), "{}", with.source);

    let empty = Xmp::parse(format!("{head}/></x:xmpmeta>").as_bytes()).unwrap();
    assert!(empty.is_empty());
    assert_eq!(
        empty.with(&texts(Some("A dog."), None)).unwrap().texts().description.unwrap(),
        "A dog."
    );
}

#[test]
fn space_for_growth_is_used_up_first() {
    let padded =
        OF_OTHERS.replace("<?xpacket end", &format!("{}\n<?xpacket end", " ".repeat(2000)));
    let with = Xmp::parse(padded.as_bytes()).unwrap().with(&texts(Some("A dog."), None)).unwrap();
    assert_eq!(with.source.len(), padded.len());
    let again = with.with(&texts(Some("Two dogs."), None)).unwrap();
    assert_eq!(again.source.len(), padded.len());
}

#[test]
fn packets_that_a_change_would_damage_are_refused() {
    let says = |source: &str| Xmp::parse(source.as_bytes()).unwrap_err().to_string();
    for (source, expected) in [
        (OF_OTHERS.split_at(400).0, "ends too early"),
        ("<a/>", "it has no RDF"),
        ("", "it has no RDF"),
        ("<a></b>", "expected `</a>`"),
        ("<a>&unknown;</a>", "unknown entity &unknown;"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "document type"),
        (&"<a>".repeat(100), "nested too deeply"),
    ] {
        assert!(says(source).contains(expected), "{source}: {}", says(source));
    }
    assert!(Xmp::parse(b"\xFF\xFE<\0").unwrap_err().to_string().contains("not UTF-8"));
    let qualified = OF_OTHERS.replace(
        "  <dcx:subject",
        "  <dc:description xmlns:dc='http://purl.org/dc/elements/1.1/' rdf:parseType='Resource'><rdf:value>A</rdf:value>\
         </dc:description><dcx:subject",
    );
    let xmp = Xmp::parse(qualified.as_bytes()).unwrap();
    let error = xmp.with(&texts(Some("A dog."), None)).unwrap_err().to_string();
    assert!(error.contains("description has qualifiers"), "{error}");
}

#[test]
fn a_property_with_several_texts_or_a_comment_is_not_changed() {
    let with = |property: &str| {
        let source = OF_OTHERS.replace("  <dcx:subject", &format!("{property}<dcx:subject"));
        let xmp = Xmp::parse(source.as_bytes()).unwrap();
        assert_eq!(xmp.texts().description.unwrap(), "One");
        xmp.with(&texts(Some("One A dog."), None)).unwrap_err().to_string()
    };
    let name = "dcx:description";
    let open = format!("<{name} xmlns:dcx='http://purl.org/dc/elements/1.1/'>");
    let bag = format!("{open}<rdf:Bag><rdf:li>One</rdf:li><rdf:li>Two</rdf:li></rdf:Bag></{name}>");
    assert!(with(&bag).contains("has several texts"), "{}", with(&bag));
    let twice = format!("{open}One</{name}>{open}Two</{name}>");
    assert!(with(&twice).contains("has several texts"), "{}", with(&twice));
    let comment = format!("{open}One<!-- mine --></{name}>");
    assert!(with(&comment).contains("qualifiers or comments"), "{}", with(&comment));
}

#[test]
fn signed_provenance_that_lies_elsewhere_is_found() {
    let with = OF_OTHERS.replace(
        "xmp:Rating='4'",
        "xmlns:dcterms='http://purl.org/dc/terms/' dcterms:provenance='https://example.org/a.c2pa'",
    );
    assert!(Xmp::parse(with.as_bytes()).unwrap().has_provenance());
    assert!(!Xmp::parse(OF_OTHERS.as_bytes()).unwrap().has_provenance());
}

proptest::proptest! {
    #[test]
    fn no_packet_makes_it_panic(cuts in proptest::collection::vec((0..700_usize, "[<>/&'a-z: ]{0,4}"), 0..6)) {
        let mut source = OF_OTHERS.to_owned();
        for (at, text) in cuts {
            if source.is_char_boundary(at) && at <= source.len() {
                source.insert_str(at, &text);
            }
        }
        if let Ok(xmp) = Xmp::parse(source.as_bytes())
            && let Ok(with) = xmp.with(&texts(Some("A dog."), None))
        {
            assert_eq!(with.texts().description.as_deref(), Some("A dog."));
        }
    }
}
