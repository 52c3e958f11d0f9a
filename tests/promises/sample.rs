//! `postern dev`: what a newcomer sees first, and the lines they paste.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use postern_tests::{Heard, binary, heard};

/// Runs one printed line as a newcomer would paste it, with this SQL at psql's prompt.
fn paste(line: &str, sql: &str) -> Heard {
    let mut shell = Command::new("sh");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PG")) {
        shell.env_remove(name);
    }
    let options =
        "--no-psqlrc --quiet --tuples-only --no-align --set VERBOSITY=verbose --set ON_ERROR_STOP=1";
    shell.args(["-c", &format!("{line} {options} --command \"$0\""), sql]);
    heard(shell)
}

#[test]
fn the_sample_pipeline_meets_every_outcome_and_its_lines_do_what_the_page_says() {
    // It ends with this process, however that ends: then its end of the pipe closes.
    let script = r#""$0" dev & child=$!; cat > /dev/null; kill -INT $child; wait $child"#;
    let mut dev = Command::new("sh")
        .args(["-c", script])
        .arg(binary())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut page = Vec::new();
    for line in BufReader::new(dev.stdout.take().unwrap()).lines() {
        page.push(line.unwrap());
        if page
            .last()
            .is_some_and(|line| line.contains(" can orders-report "))
        {
            break;
        }
    }
    let whole = page.join("\n");
    assert_eq!(whole.matches(", as it must be").count(), 17, "{whole}");
    let pasted = |words: &str| {
        let line = page.iter().find(|line| line.contains(words));
        line.unwrap_or_else(|| panic!("`{words}` in {whole}"))
            .trim()
            .to_owned()
    };
    let by_token = pasted("PGPASSFILE=");
    assert_eq!(
        paste(&by_token, "select count(id) from customers").succeeded(),
        "2000\n"
    );
    let complaint = paste(&by_token, "select email from customers").refused("42501");
    assert!(complaint.contains("HINT"), "{complaint}");
    let by_certificate = pasted("sslcert=");
    paste(&by_certificate, "select country from order_totals limit 1").succeeded();
    paste(&by_certificate, "select email from customers").refused("42501");

    let id = pasted("why was one refused?");
    let id = id.split_whitespace().last().unwrap();
    let environment = pasted(". /");
    for (words, expected) in [
        (format!("{} explain {id}", binary().display()), "orders-report"),
        (pasted("postern sessions"), "orders-agent"),
        (
            format!("{} audit query --workload orders-agent", binary().display()),
            "order_totals",
        ),
    ] {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{environment}; {words}")]);
        let said = heard(shell).succeeded();
        assert!(said.contains(expected), "{words}: {said}");
    }
    // It says no, and ends as a refusal does.
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{environment}; {}", pasted(" can orders-report "))]);
    let output = shell.output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(
        output.stdout.escape_ascii().to_string().contains("email"),
        "{output:?}"
    );

    drop(dev.stdin.take());
    assert!(dev.wait().unwrap().success(), "Ctrl-C ends it well");
}
