//! Man pages, from the same definition as the command line and its help.
//!
//! Must not know what a program does.

use std::{fs, io, path::Path};

use clap::Command;
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};

/// Writes a page for a program and for each of its subcommands into a directory, which is made if need
/// be: `echo-client.1`, `echo-client-ping.1`, ... Hidden subcommands have none.
///
/// # Errors
///
/// A file cannot be written.
pub fn write(mut program: Command, directory: &Path) -> io::Result<()> {
    let source = format!("{} {}", program.get_name(), program.get_version().unwrap_or_default());
    program = program.disable_help_subcommand(true);
    program.build();
    fs::create_dir_all(directory)?;
    write_pages(&program, &source, directory)
}

fn write_pages(command: &Command, source: &str, directory: &Path) -> io::Result<()> {
    // No date, so that the same source makes the same page; an empty one would be left out, and
    // what comes behind it take its place.
    let man = Man::new(command.clone()).date(" ").source(source).manual("User Commands");
    fs::write(directory.join(man.get_filename()), page(&man, command)?)?;
    for subcommand in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        write_pages(subcommand, source, directory)?;
    }
    Ok(())
}

fn page(man: &Man, command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.get_subcommands().any(|command| !command.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    let after = command.get_after_long_help().or_else(|| command.get_after_help());
    after.map_or_else(Roff::new, |text| sections(&text.to_string())).to_writer(&mut page)?;
    Ok(page)
}

/// What stands below the options: `Title:` and indented lines, which stay as they are.
fn sections(text: &str) -> Roff {
    let mut roff = Roff::new();
    for line in text.lines() {
        match line.strip_suffix(':').filter(|title| !title.starts_with(' ')) {
            Some(title) => {
                roff.control("fi", []).control("SH", [&title.to_uppercase()[..]]).control("nf", [])
            }
            None => roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]),
        };
    }
    roff.control("fi", []);
    roff
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    #[test]
    fn every_command_that_is_shown_has_a_page() {
        let program = Command::new("echo-x")
            .version("1.2")
            .after_long_help("Examples:\n  echo-x -a   do it\n\nExit status:\n  0  done")
            .subcommand(Command::new("ping").about("Ask").arg(Arg::new("count").long("count")))
            .subcommand(Command::new("secret").hide(true));
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().join("man");
        write(program, &directory).unwrap();
        let files = fs::read_dir(&directory).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["echo-x-ping.1", "echo-x.1"]);
        let page = fs::read_to_string(directory.join("echo-x.1")).unwrap();
        for part in [
            ".TH echo-x 1 \" \" \"echo-x 1.2\"",
            ".SH EXAMPLES\n.nf\necho\\-x \\-a   do it\n",
            ".SH \"EXIT STATUS\"\n.nf\n0  done\n",
        ] {
            assert!(page.contains(part), "{part} is missing in:\n{page}");
        }
    }
}
