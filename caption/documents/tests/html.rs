//! Images in HTML.

use std::path::{Path, PathBuf};

use documents::{Alt, Document, Format, Location, Obstacle};

/// The document with `text` in each image that can have it.
fn fill_with(html: &str, text: &str) -> String {
    let filled = Document::parse(html, Format::Html).fill(|_| Some(text));
    let again = Document::parse(&filled, Format::Html);
    assert!(again.images().iter().all(|image| !image.is_fillable()), "{filled}");
    assert_eq!(again.fill(|_| Some("another")), filled);
    filled
}

fn fill(html: &str) -> String {
    fill_with(html, "A dog.")
}

/// What keeps the only image from being filled; it then stays as it is.
fn obstacle(html: &str) -> Option<Obstacle> {
    let document = Document::parse(html, Format::Html);
    let [image] = document.images() else { panic!("{:?}", document.images()) };
    assert_eq!(image.is_fillable(), image.obstacle.is_none() && !is_present(&image.alt));
    if !image.is_fillable() {
        assert_eq!(document.fill(|_| Some("A dog.")), html);
    }
    image.obstacle
}

fn is_present(alt: &Alt) -> bool {
    matches!(alt, Alt::Present(_))
}

fn count(html: &str) -> usize {
    Document::parse(html, Format::Html).images().len()
}

#[test]
fn a_missing_text_follows_the_source() {
    for (before, after) in [
        ("<img src=\"a.png\">", "<img src=\"a.png\" alt=\"A dog.\">"),
        ("<img src='a.png'/>", "<img src='a.png' alt=\"A dog.\"/>"),
        ("<img src=\"a.png\" />", "<img src=\"a.png\" alt=\"A dog.\" />"),
        ("<img src=a.png>", "<img src=a.png alt=\"A dog.\">"),
        ("<img src=a.png />", "<img src=a.png alt=\"A dog.\" />"),
        ("<img src=a.png/>", "<img src=a.png/ alt=\"A dog.\">"),
        ("<IMG SRC = \"A.PNG\" WIDTH=1>", "<IMG SRC = \"A.PNG\" alt=\"A dog.\" WIDTH=1>"),
        ("<img src=\"a.png\"class=b>", "<img src=\"a.png\" alt=\"A dog.\"class=b>"),
        ("<img/src=\"a.png\">", "<img/src=\"a.png\" alt=\"A dog.\">"),
        ("<img src=\"a.png\" src=\"b.png\">", "<img src=\"a.png\" alt=\"A dog.\" src=\"b.png\">"),
        ("<img src=\"a>b.png\">", "<img src=\"a>b.png\" alt=\"A dog.\">"),
        ("<img src=\"é.png\" title='ö'>", "<img src=\"é.png\" alt=\"A dog.\" title='ö'>"),
    ] {
        assert_eq!(fill(before), after);
    }
}

#[test]
fn an_empty_text_is_filled_where_it_is() {
    for (before, after) in [
        ("<img alt=\"\" src=a>", "<img alt=\"A dog.\" src=a>"),
        ("<img alt='' src=a>", "<img alt='A dog.' src=a>"),
        ("<img src=a ALT = \"  \" >", "<img src=a ALT = \"A dog.\" >"),
        ("<img alt src=a>", "<img alt=\"A dog.\" src=a>"),
        ("<img src=a alt>", "<img src=a alt=\"A dog.\">"),
        ("<img src=\"a\" alt/>", "<img src=\"a\" alt=\"A dog.\"/>"),
        ("<img src=a alt=>", "<img src=a alt=\"A dog.\">"),
        ("<img src=a alt\n=\n>", "<img src=a alt\n=\"A dog.\"\n>"),
        ("<img src=a alt=\"\" alt=\"x\">", "<img src=a alt=\"A dog.\" alt=\"x\">"),
        ("<img src=a alt=&nbsp; >", "<img src=a alt=\"A dog.\" >"),
    ] {
        let document = Document::parse(before, Format::Html);
        assert_eq!(document.images()[0].alt, Alt::Empty, "{before}");
        assert_eq!(fill(before), after);
    }
}

#[test]
fn a_text_stays() {
    for (html, alt) in [
        ("<img src=a alt=\"A &quot;cat&quot; &amp; &#233;\">", "A \"cat\" & é"),
        ("<img src=a alt=cat>", "cat"),
        ("<img src=a alt=\"cat\" alt=\"\">", "cat"),
        ("<img alt=/ src=a>", "/"),
        ("<img src=a alt={{text}}>", "{{text}}"),
    ] {
        let document = Document::parse(html, Format::Html);
        assert_eq!(document.images()[0].alt, Alt::Present(alt.to_owned()), "{html}");
        assert_eq!(fill(html), html);
    }
}

#[test]
fn texts_are_escaped_for_their_quotes() {
    let text = "\"A\" & 'b' <i>";
    assert_eq!(
        fill_with("<img src=a><img src=b alt=''>", text),
        "<img src=a alt=\"&quot;A&quot; &amp; 'b' &lt;i&gt;\"><img src=b alt='\"A\" &amp; &#39;b&#39; &lt;i&gt;'>"
    );
    assert_eq!(fill_with("<img src=a>", " A\r\n  dog. "), "<img src=a alt=\"A dog.\">");
    assert_eq!(Document::parse("<img src=a>", Format::Html).fill(|_| Some(" \n")), "<img src=a>");
}

#[test]
fn sources_are_decoded_and_places_are_counted() {
    let html =
        "\u{feff}<p>\r\n\té <img\r\n  src=\"a&amp;b%20c.png?x=1&y=2\"\r\n  width=1><img src=d>";
    let document = Document::parse(html, Format::Html);
    let [first, second] = document.images() else { panic!("{:?}", document.images()) };
    assert_eq!((first.line, first.column), (2, 4));
    assert_eq!(first.source, "a&b%20c.png?x=1&y=2");
    assert_eq!(first.written, "<img\r\n  src=\"a&amp;b%20c.png?x=1&y=2\"\r\n  width=1>");
    assert_eq!((second.line, second.column, second.written), (4, 11, "<img src=d>"));
    let location = document.locate(first, Path::new("x"), None);
    assert_eq!(location, Location::Local(PathBuf::from("x/a&b c.png")));
    let filled = fill(html);
    assert_eq!(filled.replace(" alt=\"A dog.\"", ""), html);
    assert!(filled.contains("y=2\" alt=\"A dog.\"\r\n  width"), "{filled}");
}

#[test]
fn a_document_without_images_to_fill_stays() {
    for html in ["", "\u{feff}", "a\r\nb\t", "<img", "<img src=\"a", "<img src=a ", "</img src=a>"]
    {
        assert_eq!(fill(html), html);
        assert_eq!(count(html), 0, "{html}");
    }
}

#[test]
fn what_is_not_markup_holds_no_images() {
    for html in [
        "<!-- <img src=a> -->",
        "<script>document.write('<img src=a>')</script>",
        "<style>/* <img src=a> */</style>",
        "<title><img src=a></title>",
        "<textarea><img src=a></textarea>",
        "<iframe><img src=a></iframe>",
        "<p title='<img src=a>'>",
        "<input type=image src=a><area href=a><svg><image href=a /></svg>",
    ] {
        assert_eq!(count(html), 0, "{html}");
    }
    for html in [
        "<!-- --><img src=a>",
        "<script>'</scr' + 'ipt>'</script><img src=a>",
        "<template><img src=a></template>",
        "<noscript><img src=a></noscript>",
        "<picture><source srcset=b><img src=a></picture>",
        "<code><img src=a></code>",
    ] {
        assert_eq!(count(html), 1, "{html}");
    }
}

#[test]
fn elements_of_xml_may_have_no_end_tag() {
    let body = "<script src=\"a.js\"/><title/><a href=\"b\"/><img src=\"a\"/>";
    assert_eq!(count(body), 0);
    assert_eq!(count(&format!("<?xml version=\"1.0\"?>{body}")), 1);
    assert_eq!(obstacle(&format!("\u{feff}<?xml version=\"1.0\"?>{body}")), None);
    assert_eq!(count("<?xml version=\"1.0\"?><p><![CDATA[ > <img src=\"a\"/> ]]></p>"), 0);
    assert_eq!(count("<svg><title/><style/></svg><img src=a>"), 1);
    assert_eq!(count("<svg/></svg><style/><img src=a>"), 0);
}

#[test]
fn an_image_in_a_link_is_not_filled() {
    for html in [
        "<a href=x><img src=a></a>",
        "<a><span><img src=a></span></a>",
        "<a :href=x id=y><img src=a></a>",
        "<button type=button><img src=a></button>",
        "<a href=x><p>open<img src=a alt=''>",
        "<a id=y><a href=x><img src=a>",
        "<details><summary><img src=a></summary></details>",
        "<div role=button><div>b</div><img src=a></div>",
        "<span role='LINK'><img src=a>",
    ] {
        assert_eq!(obstacle(html), Some(Obstacle::Link), "{html}");
    }
    for html in [
        "<a href=x>b</a><img src=a>",
        "<a name=x><img src=a>",
        "<a id=x></a><img src=a>",
        "<a href=x>b<a name=y><img src=a>",
        "<button>b</button></a><img src=a>",
        "<abbr><img src=a></abbr>",
        "<div role=button><div>b</div></div><img src=a>",
        "<input role=button><img src=a>",
        "<div role=list><img src=a></div>",
    ] {
        assert_eq!(obstacle(html), None, "{html}");
    }
}

#[test]
fn some_images_need_no_text_or_have_no_place_for_it() {
    for (attributes, expected) in [
        ("", Obstacle::NoSource),
        ("src", Obstacle::NoSource),
        ("src=' ' alt", Obstacle::NoSource),
        ("data-src=a srcset=b", Obstacle::NoSource),
        ("src=a role=presentation", Obstacle::Decoration),
        ("src=a role=' None img'", Obstacle::Decoration),
        ("src=a aria-hidden=true", Obstacle::Decoration),
        ("src=a aria-label=Dog", Obstacle::Labelled),
        ("src=a aria-labelledby=b alt=''", Obstacle::Labelled),
        ("src=a :alt=text", Obstacle::Labelled),
        ("src=a v-bind:alt=text", Obstacle::Labelled),
        ("src=a [attr.alt]=text", Obstacle::Labelled),
        ("src=a {{ attributes }}", Obstacle::Unclear),
        ("src=a {% if x %}alt=''{% endif %}", Obstacle::Unclear),
        ("src=a <?php echo $x ?>", Obstacle::Unclear),
        ("src=\"a\"b\"", Obstacle::Unclear),
    ] {
        assert_eq!(obstacle(&format!("<img {attributes}>")), Some(expected), "{attributes}");
    }
    for attributes in [
        "src=a role=img",
        "src=a aria-hidden=false",
        "src=a aria-label=''",
        "src=a title=b data-alt=c",
    ] {
        assert_eq!(obstacle(&format!("<img {attributes}>")), None, "{attributes}");
    }
}

#[test]
fn the_first_base_counts() {
    let html = "<base target=_top><base href='/img/'><base href=x/><img src=a.png><img src=/b.png>";
    let document = Document::parse(html, Format::Html);
    let locations = document.images().iter();
    let locations =
        locations.map(|image| document.locate(image, Path::new("x"), Some(Path::new("r"))));
    let expected = ["r/img/a.png", "r/b.png"].map(|path| Location::Local(PathBuf::from(path)));
    assert_eq!(locations.collect::<Vec<_>>(), expected);
}

#[test]
fn each_image_has_its_own_text() {
    let html = "<img src=a><img src=b alt=\"\"><img src=c><img src=a>";
    let filled = Document::parse(html, Format::Html).fill(|image| match image.source.as_str() {
        "a" => Some("A dog."),
        "b" if image.alt != Alt::Empty => Some("A cat."),
        _ => None,
    });
    assert_eq!(
        filled,
        "<img src=a alt=\"A dog.\"><img src=b alt=\"\"><img src=c><img src=a alt=\"A dog.\">"
    );
}
