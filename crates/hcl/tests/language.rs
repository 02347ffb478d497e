//! The language as a table: a text, and the tree that it is. What stands here was compared with the reader that Vault
//! and OpenBao use, except where a comment says otherwise.

mod shown;

use shown::shown;

fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(shown(text), *expected, "{text:?}");
    }
}

#[test]
fn items_need_no_separator_and_take_a_comma() {
    check(&[
        ("", ""),
        ("\n\t # nothing\n", ""),
        ("a=1", "a: 1"),
        ("a=1 b=2", "a: 1; b: 2"),
        ("a=1b=2", "a: 1; b: 2"),
        ("\"a\"=1,\nb=2,", "a: 1; b: 2"),
        ("a\n=\n1", "a: 1"),
        ("a={b=1,c=2,}", "a: (b: 1; c: 2)"),
        ("a={b=1 c=2 d {} e=\"x\"}", "a: (b: 1; c: 2; d: (); e: 'x')"),
        ("a{}b{}", "a: (); b: ()"),
        ("a=1,,b=2", "! line 1, column 5: expected a key, found `,`"),
        (",a=1", "! line 1, column 1: expected a key, found `,`"),
        ("a={,}", "! line 1, column 4: expected a key, found `,`"),
        ("a=1;b=2", "! line 1, column 4: this character has no meaning here"),
    ]);
}

#[test]
fn keys_are_words_or_quoted_and_repeat_as_they_like() {
    check(&[
        ("a_b-c.d=1", "a_b-c.d: 1"),
        ("_=1 é=2 a\u{661}=3", "_: 1; é: 2; a\u{661}: 3"),
        ("a=1\nA=2\na=3", "a: 1; A: 2; a: 3"),
        ("\"\" = 1", ": 1"),
        ("\"true\"=1", "true: 1"),
        ("\"a/*\" {}", "a/*: ()"),
        ("\"${a}\" {}", "${a}: ()"),
        ("true=1", "! line 1, column 1: expected a key, found a boolean"),
        ("1 = 2", "! line 1, column 1: expected a key, found a number"),
        ("-a=1", "! line 1, column 1: this character has no meaning here"),
        ("\u{661}=1", "! line 1, column 1: this character has no meaning here"),
        ("= 1", "! line 1, column 1: expected a key, found `=`"),
        ("a[0]=1", "! line 1, column 2: expected `=`, `{` or a label, found `[`"),
        ("a: 1", "! line 1, column 2: this character has no meaning here"),
        ("\u{feff}a=1", "! line 1, column 1: this character has no meaning here"),
    ]);
}

#[test]
fn blocks_take_labels_and_assignments_do_not() {
    check(&[
        ("a b c {}", "a.b.c: ()"),
        ("path \"x/*\" { capabilities = [\"read\"] }", "path.x/*: (capabilities: ['read'])"),
        ("a \"b\"\n{ }", "a.b: ()"),
        ("a b { c d { e = 1 } }", "a.b: (c.d: (e: 1))"),
        ("a = {}", "a: ()"),
        ("a b = {}", "! line 1, column 5: expected `{` or a label, found `=`"),
        ("a { b = 1 } }", "! line 1, column 13: expected a key, found `}`"),
        ("a {", "! line 1, column 4: expected a key or `}`, found the end"),
        ("a{{}}", "! line 1, column 3: expected a key, found `{`"),
        ("a={b}", "! line 1, column 5: expected `=`, `{` or a label, found `}`"),
        ("a 1 {}", "! line 1, column 3: expected `=`, `{` or a label, found a number"),
        ("a", "! line 1, column 2: expected `=`, `{` or a label, found the end"),
        ("a=\"1\" \"b\" {}", "a: '1'; b: ()"),
        // The reference reads a value that is missing at the very end as an empty text file.
        ("a =", "! line 1, column 4: expected a value, found the end"),
    ]);
}

#[test]
fn lists_hold_anything_and_forgive_commas() {
    check(&[
        ("a=[]", "a: []"),
        ("a=[1,2,]", "a: [1, 2]"),
        ("a=[,]", "a: []"),
        ("a=[1,,2]", "a: [1, 2]"),
        ("a = [1\n,2]", "a: [1, 2]"),
        ("a=[1,\n# one\n2, // two\n]", "a: [1, 2]"),
        ("a=[true,\"x\",1.5,[[]],{b=1}]", "a: [true, 'x', 1.5, [[]], (b: 1)]"),
        ("a=[<<EOF\nx\nEOF\n,1]", "a: ['x|', 1]"),
        ("a=[1 2]", "! line 1, column 6: expected `,` or `]`, found a number"),
        ("a=[{b=1}{c=2}]", "! line 1, column 9: expected `,` or `]`, found `{`"),
        ("a=[b]", "! line 1, column 4: expected a value, found a bare word"),
        ("a=[1", "! line 1, column 5: expected `,` or `]`, found the end"),
        ("a=[1,", "! line 1, column 6: expected a value or `]`, found the end"),
    ]);
}

#[test]
fn numbers_come_in_four_notations() {
    check(&[
        ("a=0 b=-1 c=00", "a: 0; b: -1; c: 0"),
        ("a=0x1F b=0XfF c=-0x10", "a: 31; b: 255; c: -16"),
        ("a=017 b=-017", "a: 15; b: -15"),
        ("a=1.5 b=5. c=.5 d=018.5", "a: 1.5; b: 5.0; c: 0.5; d: 18.5"),
        ("a=1e3 b=1E+3 c=0.5e-1 d=0e1", "a: 1000.0; b: 1000.0; c: 0.05; d: 0.0"),
        ("a=9223372036854775807 b=-9223372036854775808", "a: 9223372036854775807; b: -9223372036854775808"),
        ("a=9223372036854775808", "! line 1, column 3: the number does not fit in 64 bits"),
        ("a=08", "! line 1, column 3: a number that starts with 0 is octal, it has only the digits 0 to 7"),
        ("a=0x", "! line 1, column 3: expected digits, the number has none"),
        ("a=1e", "! line 1, column 3: the number is malformed or out of range"),
        ("a=1e999", "! line 1, column 3: the number is malformed or out of range"),
        ("a=1.2.3", "! line 1, column 6: expected a key, found a number"),
        ("a=1_000", "! line 1, column 8: expected `=`, `{` or a label, found the end"),
        ("a=+1", "! line 1, column 3: this character has no meaning here"),
        ("a=-.5", "! line 1, column 3: this character has no meaning here"),
        ("a=- 1", "! line 1, column 3: this character has no meaning here"),
        ("a=.", "! line 1, column 3: this character has no meaning here"),
    ]);
}

#[test]
fn only_two_words_are_values() {
    check(&[
        ("a=true b=false", "a: true; b: false"),
        ("a=TRUE", "! line 1, column 3: expected a value, found a bare word"),
        ("a=true1", "! line 1, column 3: expected a value, found a bare word"),
        ("a=null", "! line 1, column 3: expected a value, found a bare word"),
        ("a=b.c", "! line 1, column 3: expected a value, found a bare word"),
        ("a=b=1", "! line 1, column 3: expected a value, found a bare word"),
        ("a = 1 = 2", "! line 1, column 7: expected a key, found `=`"),
    ]);
}

#[test]
fn quoted_texts_know_escapes_and_keep_interpolations() {
    check(&[
        (r#"a="""#, "a: ''"),
        (r#"a="\n\t\\\"\x41\101\u00e9\U0001F600""#, "a: '|\t\\\"AAé😀'"),
        (r#"a="%{x} %%{y} 100%""#, "a: '%{x} %%{y} 100%'"),
        (r#"a="x${foo("bar")}y""#, "a: 'x${foo(\"bar\")}y'"),
        (r#"a="${"\n"}\n""#, "a: '${\"\\n\"}|'"),
        (
            r#"a="${{}}" b="${a}}{" c="$${x}" d="$" e="x}y""#,
            "a: '${{}}'; b: '${a}}{'; c: '$${x}'; d: '$'; e: 'x}y'",
        ),
        ("a=\"${\n}\"", "a: '${|}'"),
        ("a=\"\ttab\"", "a: '\ttab'"),
        ("a=\"x\ny\"", "! line 1, column 5: a quoted text must end on its own line"),
        ("a=\"x", "! line 1, column 3: the quoted text that starts here does not end"),
        ("a=\"x${\"", "! line 1, column 3: the quoted text that starts here does not end"),
        (r#"a="\q""#, "! line 1, column 4: unknown escape"),
        (r#"a="\$""#, "! line 1, column 4: unknown escape"),
        (r#"a="${\q}""#, "! line 1, column 6: unknown escape"),
        (r#"a="\x4""#, "! line 1, column 4: the escape needs 2 digits"),
        (r#"a="\400""#, "! line 1, column 4: the escape stands for no character"),
        // The reference lets bytes and surrogates through that are no text.
        (r#"a="\x80""#, "! line 1, column 4: the escape stands for no character"),
        (r#"a="\ud800""#, "! line 1, column 4: the escape stands for no character"),
        (r#"a="\Uffffffff""#, "! line 1, column 4: the escape stands for no character"),
        ("a='x'", "! line 1, column 3: this character has no meaning here"),
    ]);
}

#[test]
fn heredocs_end_at_their_name_and_may_lose_their_margin() {
    check(&[
        ("a=<<EOF\nx\nEOF\nb=1", "a: 'x|'; b: 1"),
        ("a=<<EOF\nEOF\n", "a: ''"),
        ("a=<<EOF\nx\nEOFF\n EOF \nEOF\n", "a: 'x|EOFF| EOF |'"),
        ("a=<<EOF\n\"${\\q}\nEOF\n", "a: '\"${\\q}|'"),
        ("a=<<E1\nx\n\tE1\n", "a: 'x|\t'"),
        ("a=<<EOF\r\nx\r\ny\r\nEOF\r\n", "a: 'x|y|'"),
        ("a=<<-EOF\n  x\n    y\n  EOF\n", "a: 'x|  y|'"),
        ("a=<<-EOF\n  x\n\n  y\n  EOF\n", "a: '  x||  y|'"),
        ("a=<<-EOF\n    EOF\n", "a: ''"),
        ("a=<<EOF\nx\nEOF b=1", "! line 1, column 3: the heredoc that starts here does not end"),
        ("a=<<EOF\nx\n", "! line 1, column 3: the heredoc that starts here does not end"),
        ("a=<<EOF", "! line 1, column 8: expected the end of the line after the name of the heredoc"),
        (
            "a=<<E.F\nx\nE.F\n",
            "! line 1, column 6: expected the end of the line after the name of the heredoc",
        ),
        ("a=<< EOF\nx\nEOF\n", "! line 1, column 5: expected the name that ends the heredoc"),
        ("a=<<-\nx\n", "! line 1, column 6: expected the name that ends the heredoc"),
        ("a=<EOF", "! line 1, column 3: expected `<<` and the name of a heredoc"),
        // The reference wants a line end after the name, and a margin before it when there is a dash.
        ("a=<<EOF\nx\nEOF", "a: 'x|'"),
        ("a=<<-EOF\n x\nEOF\n", "a: ' x|'"),
    ]);
}

#[test]
fn comments_stand_anywhere_between_tokens() {
    check(&[
        ("a=1 // one\n/* two */ b=2 # three", "a: 1; b: 2"),
        ("/**/a/* * / */=# x\n1", "a: 1"),
        ("a \"x\" # c\n{ # d\n}", "a.x: ()"),
        ("a=1#b", "a: 1"),
        ("//", ""),
        ("a=1 /* x", "! line 1, column 5: the comment that starts here does not end"),
        ("a=1 /", "! line 1, column 5: this character has no meaning here"),
    ]);
}

#[test]
fn line_ends_of_all_systems_are_blanks_and_other_blanks_are_not() {
    check(&[
        ("a=1\r\nb=2", "a: 1; b: 2"),
        ("a=1\rb=2", "a: 1; b: 2"),
        ("a=1\u{b}b=2", "! line 1, column 4: this character has no meaning here"),
        ("a\u{a0}=1", "! line 1, column 2: this character has no meaning here"),
        ("a=1\0b=2", "! line 1, column 4: this character has no meaning here"),
        ("a=\"\0\"", "! line 1, column 3: the quoted text that starts here does not end"),
    ]);
}

#[test]
fn places_count_lines_and_characters() {
    let failure = vestal_hcl::parse("a = \"é\"\n  ñ = \u{20ac}").unwrap_err();
    assert_eq!((failure.at().line, failure.at().column), (2, 7));
    let body = vestal_hcl::parse("a = 1\n\n  b \"c\" {\n    d = 2\n  }").unwrap();
    let block = body.last("b").unwrap();
    assert_eq!(block.at().to_string(), "line 3, column 3");
    assert_eq!(block.body().unwrap().items[0].at().to_string(), "line 4, column 5");
}
