//! Completions for shells, from the same definition as the command line and its help.
//!
//! Must not know what a program does.

use clap::Command;
pub use clap_complete::Shell;

/// The script that makes a shell complete the arguments of `program`. Hidden subcommands are not in it.
///
/// ```
/// use common::completions::{Shell, script};
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

/// A definition whose subcommands are all shown. A subcommand cannot be taken out of a definition, so it
/// is made anew, of what scripts are made from.
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

/// Where a program's name has a `-`, `clap_complete` 4.6 spells it in two ways, one where it notes the
/// subcommand (`echo__server__subcmd__config`) and one where it looks for it
/// (`echo__subcmd__server__subcmd__config`), and behind a subcommand nothing would be completed.
fn with_matching_labels(program: &str, script: &str) -> String {
    let [noted, looked_for] = ["__", "__subcmd__"].map(|hyphen| program.replace('-', hyphen));
    script.replace(&format!("{looked_for}__subcmd__"), &format!("{noted}__subcmd__"))
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
        String::from_utf8(script(shell, program())).expect("a script is text")
    }

    #[test]
    fn every_subcommand_that_bash_notes_is_one_that_it_looks_for() {
        let script = text(Shell::Bash);
        let noted = regex::Regex::new(r#"cmd="(\w+)""#).unwrap();
        let noted: Vec<_> = noted.captures_iter(&script).map(|found| found[1].to_owned()).collect();
        assert!(noted.len() > 4, "{noted:?}");
        for name in noted {
            assert!(script.contains(&format!("\n        {name})\n")), "{name}: {script}");
        }
    }

    #[test]
    fn bash_completes_behind_subcommands() {
        for (typed, completed) in [
            ("lo", "load"),
            ("ping --co", "--count"),
            ("load merge", "merge-all"),
            ("load merge-all --j", "--json"),
        ] {
            let last = typed.split(' ').count();
            let tried = format!(
                "{}\nCOMP_WORDS=(an-echo-client {typed}); COMP_CWORD={last}\n\
                 _an__echo__client an-echo-client \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"\n\
                 echo \"${{COMPREPLY[@]}}\"",
                text(Shell::Bash)
            );
            let ended = Process::new("bash").args(["--norc", "-c", &tried]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&ended.stdout).trim(), completed, "{ended:?}");
        }
    }

    #[test]
    fn what_is_hidden_is_in_no_script() {
        for shell in [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh] {
            let script = text(shell);
            for word in ["host", "version", "rate", "merge-all", "json", "count"] {
                assert!(script.contains(word), "{word} is missing for {shell}: {script}");
            }
            for word in ["secret", "man-pages", "load-worker"] {
                assert!(!script.contains(word), "{word} is there for {shell}: {script}");
            }
        }
    }
}
