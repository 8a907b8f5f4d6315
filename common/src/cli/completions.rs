//! Completion scripts for shells, generated from the definition of a command line.

use clap::Command;
pub use clap_complete::Shell;

/// Returns the script that completes the arguments of `program` in a shell, without hidden subcommands.
///
/// ```
/// use common::cli::completions::{Shell, script};
/// let script = script(Shell::Bash, clap::Command::new("echo-client"));
/// assert!(String::from_utf8_lossy(&script).contains("echo-client"));
/// ```
#[must_use]
pub fn script(shell: Shell, program: Command) -> Vec<u8> {
    let (name, mut script) = (program.get_name().to_owned(), Vec::new());
    clap_complete::generate(shell, &mut without_hidden(program), &*name, &mut script);
    if shell == Shell::Bash {
        script = with_matching_labels(&name, &String::from_utf8_lossy(&script)).into_bytes();
    }
    script
}

/// Copies a definition without its hidden subcommands: clap cannot remove a subcommand, so the copy takes
/// over only the parts that a script depends on.
fn without_hidden(command: Command) -> Command {
    if !command.get_subcommands().any(Command::is_hide_set) {
        return command.mut_subcommands(without_hidden);
    }
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    Command::new(command.get_name().to_owned())
        .about(command.get_about().cloned().unwrap_or_default())
        .version(command.get_version().unwrap_or_default().to_owned())
        .disable_version_flag(
            command.get_version().is_none() || command.is_disable_version_flag_set(),
        )
        .disable_help_flag(command.is_disable_help_flag_set())
        .disable_help_subcommand(command.is_disable_help_subcommand_set())
        .args(command.get_arguments().cloned())
        .groups(command.get_groups().cloned())
        .subcommands(shown.cloned().map(without_hidden))
}

/// Corrects the labels in a script for bash. For a program with a `-` in its name, `clap_complete` 4.6 sets
/// a label (`echo__server__subcmd__config`) that differs from the one it compares with
/// (`echo__subcmd__server__subcmd__config`), so that bash completes nothing after a subcommand.
fn with_matching_labels(program: &str, script: &str) -> String {
    let [set, compared] = ["__", "__subcmd__"].map(|hyphen| program.replace('-', hyphen));
    script.replace(&format!("{compared}__subcmd__"), &format!("{set}__subcmd__"))
}

#[cfg(test)]
mod tests {
    use std::process::Command as Process;

    use clap::Arg;
    use clap_complete::Shell;

    use super::*;

    fn program() -> Command {
        let flag = |name: &'static str| Arg::new(name).long(name);
        let load = Command::new("load").arg(flag("rate"));
        let load = load.subcommand(Command::new("merge-all").arg(flag("json")));
        let load = load.subcommand(Command::new("load-worker").hide(true).arg(flag("secret")));
        let ping = Command::new("ping").arg(flag("count"));
        let man = Command::new("man-pages").hide(true).arg(flag("secret"));
        let program = Command::new("an-echo-client").version("1").arg(flag("host"));
        program.subcommands([load, ping, man])
    }

    fn text(shell: Shell) -> String {
        String::from_utf8(script(shell, program())).expect("a script is UTF-8")
    }

    #[test]
    fn every_label_that_the_bash_script_sets_has_a_case() {
        let script = text(Shell::Bash);
        let set = regex::Regex::new(r#"cmd="(\w+)""#).unwrap();
        let labels: Vec<_> = set.captures_iter(&script).map(|found| found[1].to_owned()).collect();
        assert!(labels.len() > 4, "{labels:?}");
        for label in labels {
            assert!(script.contains(&format!("\n        {label})\n")), "{label}: {script}");
        }
    }

    #[test]
    fn bash_completes_after_a_subcommand() {
        for (typed, completed) in [
            ("lo", "load"),
            ("ping --co", "--count"),
            ("load merge", "merge-all"),
            ("load merge-all --j", "--json"),
        ] {
            let last = typed.split(' ').count();
            let commands = format!(
                "{}\nCOMP_WORDS=(an-echo-client {typed}); COMP_CWORD={last}\n\
                 _an__echo__client an-echo-client \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"\n\
                 echo \"${{COMPREPLY[@]}}\"",
                text(Shell::Bash)
            );
            let output = Process::new("bash").args(["--norc", "-c", &commands]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), completed, "{output:?}");
        }
    }

    #[test]
    fn no_script_contains_a_hidden_subcommand() {
        for shell in [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh] {
            let script = text(shell);
            for word in ["host", "version", "rate", "merge-all", "json", "count"] {
                assert!(script.contains(word), "{word} is missing for {shell}: {script}");
            }
            for word in ["secret", "man-pages", "load-worker"] {
                assert!(!script.contains(word), "{word} is present for {shell}: {script}");
            }
        }
    }
}
