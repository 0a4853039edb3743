//! Texts as they are written in documents.

/// The language at the place of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// An attribute of HTML in `"`.
    DoubleQuoted,
    /// An attribute of HTML in `'`.
    SingleQuoted,
    /// The brackets of a Markdown image.
    Markdown,
}

impl Syntax {
    /// A text in this language.
    pub(crate) fn escape(self, text: &str) -> String {
        match self {
            Self::DoubleQuoted => escape_html(text, '"'),
            Self::SingleQuoted => escape_html(text, '\''),
            Self::Markdown => escape_markdown(text),
        }
    }
}

/// Makes a line of a text: white space and control characters become single spaces, but a no-break space stays.
pub(crate) fn one_line(text: &str) -> String {
    let is_break =
        |c: char| c.is_ascii_whitespace() || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let words = text.split(is_break).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// Writes characters of HTML as references, and those which Markdown around it or a template would take for its own:
/// `` ` `` and `|` end a tag in a paragraph and in a table, and `{` begins an expression.
fn escape_html(text: &str, quote: char) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' if quote == '"' => escaped.push_str("&quot;"),
            '\'' if quote == '\'' => escaped.push_str("&#39;"),
            '`' => escaped.push_str("&#96;"),
            '|' => escaped.push_str("&#124;"),
            '{' => escaped.push_str("&#123;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Writes a backslash before characters that are markup within a line, of common extensions too. `` ` `` and `>` become
/// references: a backslash would not keep them from ending a code span or a tag that begins before the image. A `)` without a
/// `(` could end a link.
fn escape_markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut open = 0_usize;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let is_reference = |next: &char| next.is_ascii_alphanumeric() || *next == '#';
        match c {
            '`' => escaped.push_str("&#96;"),
            '>' => escaped.push_str("&gt;"),
            '&' if !chars.peek().is_some_and(is_reference) => escaped.push('&'),
            '\\' | '*' | '_' | '[' | ']' | '<' | '|' | '~' | '$' | '^' | '{' | '}' | '&' => {
                escaped.extend(['\\', c]);
            }
            ')' if open == 0 => escaped.push_str("\\)"),
            c => {
                open = open + usize::from(c == '(') - usize::from(c == ')');
                escaped.push(c);
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_a_line() {
        assert_eq!(one_line(" A dog\r\n\truns.\0 "), "A dog runs.");
        assert_eq!(one_line("12\u{a0}m\u{2028}wide"), "12\u{a0}m wide");
        assert_eq!(one_line(" \u{a0}\n"), "");
    }

    #[test]
    fn html_keeps_the_other_quote() {
        let text = "\"A\" & 'b' <c> `d|e` {{f}}";
        assert_eq!(
            Syntax::DoubleQuoted.escape(text),
            "&quot;A&quot; &amp; 'b' &lt;c&gt; &#96;d&#124;e&#96; &#123;&#123;f}}"
        );
        assert_eq!(Syntax::SingleQuoted.escape("'a' \"b\""), "&#39;a&#39; \"b\"");
    }

    #[test]
    fn markdown_keeps_plain_punctuation() {
        let plain = "It's a \"dog\" - black & white (old), 100%: yes!";
        assert_eq!(Syntax::Markdown.escape(plain), plain);
        assert_eq!(
            Syntax::Markdown.escape("[a] *b* c_d `e` \\"),
            r"\[a\] \*b\* c\_d &#96;e&#96; \\"
        );
        assert_eq!(
            Syntax::Markdown.escape("R&amp;D &#65; a|b ^1 $2"),
            r"R\&amp;D \&#65; a\|b \^1 \$2"
        );
    }
}
