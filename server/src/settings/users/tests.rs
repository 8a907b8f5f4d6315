//! The file of users: its lines, its errors, and changes.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::login::{Keys, SALT_LENGTH, prepare_password};
use proptest::prelude::*;

use super::*;
use crate::config::Credential;

fn password() -> Credential {
    Credential::Password(Keys::derive(
        &prepare_password("pencil").unwrap(),
        &[7; SALT_LENGTH],
        4096,
    ))
}

fn errors(text: &str) -> Vec<String> {
    let secret = format!(":secret:{}\n", "A".repeat(43) + "=");
    let errors = UsersFile::parse(&format!("{secret}{text}")).unwrap_err();
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn an_entry_is_written_as_it_is_parsed() {
    for credential in [password(), Credential::Token([7; 32]), Credential::Certificate] {
        for (expires, comment) in [(None, ""), (Some(jiff::civil::date(2027, 1, 31)), "a: b:c ")] {
            let entry = Entry::new("al ice", credential.clone(), expires, comment).unwrap();
            assert_eq!(entry.to_string().parse(), Ok(entry));
        }
    }
}

#[test]
fn every_wrong_line_is_named() {
    let key = "A".repeat(43) + "=";
    let password = |iterations: &str, salt: &[u8]| {
        format!("alice:scram-sha-256:{iterations}:{}:{key}:{key}::", STANDARD.encode(salt))
    };
    for (line, message) in [
        ("alice", "expected NAME:scram-sha-256:..., NAME:token:... or NAME:certificate:..."),
        ("alice:password:x::", "expected NAME:scram-sha-256:"),
        ("alice:certificate:", "expected NAME:certificate:EXPIRES:COMMENT"),
        ("alice:certificate:tomorrow:", "the end is no date"),
        ("alice:certificate:2027-02-30:", "the end is no date"),
        ("alice:token:AAAA::", "the hash is not base64 of 32 bytes"),
        ("alice:certificate:20270131:", "the end is no date"),
        ("alice:certificate:2027-01-31T00:00:", "the end is no date"),
        ("alice:certificate:2027-01-31[UTC]:", "the end is no date"),
        ("alice:certificate:-002027-01-31:", "the end is no date"),
        ("alice:certificate:9999-12-31:", "the end is no date"),
        (&password("4095", &[7; 16]), "expected from 4096 to 1000000 iterations"),
        (&password("1000001", &[7; 16]), "expected from 4096 to 1000000 iterations"),
        (&password("+5000", &[7; 16]), "expected from 4096 to 1000000 iterations"),
        (&password("5000", &[]), "the salt is not base64 of 16 bytes"),
        (&password("5000", &[7; 15]), "the salt is not base64 of 16 bytes"),
        (&password("5000", &[7; 17]), "the salt is not base64 of 16 bytes"),
        (&format!("alice:scram-sha-256:4096:AA==:{key}:{key}"), "expected NAME:scram-sha-256:ITER"),
        ("a\u{7}b:certificate::", "the name is invalid: it has a character that SASLprep"),
        (" alice:certificate::", "the name is invalid: it begins with"),
        (":certificate::", "the name is invalid: it is empty"),
        (":secret:AAAA", "the secret is not base64 of 32 bytes"),
        (&format!(":secret:{key}"), "the secret is there twice"),
    ] {
        let errors = errors(line);
        assert!(errors.len() == 1 && errors[0].contains(message), "{line}: {errors:?}");
        assert!(errors[0].starts_with("line 2: "), "{errors:?}");
    }
    let twice = errors("a:certificate::\na:certificate:2027-01-01:\nb:certificate::\n\nx");
    assert_eq!(twice.len(), 2, "{twice:?}");
    assert_eq!(twice[0], "line 3: the user may use a certificate already");
    let shared = errors(&format!("a:token:{key}::\nb:certificate::\nb:token:{key}::"));
    assert_eq!(shared, ["line 4: an earlier line has this token"]);
    let missing = UsersFile::parse("# nothing\n").unwrap_err();
    assert!(missing[0].message.contains("':secret:...' is missing"), "{missing:?}");
}

#[test]
fn an_entry_that_could_not_be_read_again_is_refused() {
    for end in [jiff::civil::date(9999, 12, 31), jiff::civil::date(-1, 1, 1)] {
        let entry = Entry::new("alice", Credential::Certificate, Some(end), "");
        assert_eq!(entry, Err(EntryError::Date));
    }
}

#[test]
fn a_change_keeps_comments_and_the_other_lines() {
    let mut file = UsersFile::new();
    for name in ["alice", "bob"] {
        file.add(Entry::new(name, password(), None, "").unwrap());
    }
    let text = file.to_string().replace("bob", "# the second\n\nbob");
    let mut file = UsersFile::parse(&text).unwrap();
    assert_eq!(file.to_string(), text);
    assert!(file.password_mut("alice").is_some() && file.password_mut("carol").is_none());
    assert_eq!((file.remove("alice"), file.remove("alice")), (1, 0));
    assert!(file.to_string().contains("\n# the second\n\nbob:scram-sha-256:4096:"));
}

#[test]
fn an_expired_user_is_none() {
    let mut file = UsersFile::new();
    file.add("alice:certificate:2020-01-01:".parse().unwrap());
    file.add("bob:certificate:9000-01-01:".parse().unwrap());
    let users = file.users();
    assert!(!users.has("alice") && users.has("bob"));
}

#[test]
fn the_names_that_no_user_has_have_stable_keys_like_those_of_users() {
    let mut file = UsersFile::new();
    file.add(Entry::new("alice", password(), None, "").unwrap());
    let (users, again) = (file.users(), UsersFile::parse(&file.to_string()).unwrap().users());
    let [first, second] = [&users, &again].map(|users| users.keys("nobody"));
    assert_eq!(first, second);
    assert_eq!((first.iterations, first.salt.len()), (4096, 16));
    assert_ne!(first.salt, users.keys("somebody").salt);
    assert_ne!(first.salt, UsersFile::new().users().keys("nobody").salt);
}

#[test]
fn a_file_that_is_open_to_others_is_refused_and_a_new_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    assert!(matches!(load(&path), Err(FileError::Io { .. })));
    let missing = edit::<(), FileError>(&path, false, |_| Ok(()));
    assert!(missing.is_err() && !path.exists());
    edit::<_, FileError>(&path, true, |file| {
        file.add("alice:certificate::".parse().unwrap());
        Ok(())
    })
    .unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(load(&path).unwrap().users().has("alice"));
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    edit::<_, FileError>(&path, false, |file| Ok(file.remove("alice"))).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    for mode in [0o644, 0o660, 0o602] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert!(matches!(load(&path), Err(FileError::Permissions { .. })), "{mode:o}");
    }
    let fifo = folder.path().join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR).unwrap();
    let error = edit::<(), FileError>(&fifo, false, |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("it is not a regular file"), "{error}");
    let folder = load(folder.path()).unwrap_err();
    assert!(folder.to_string().contains("it is not a regular file"), "{folder}");
}

#[test]
fn editors_at_the_same_time_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let path = &path;
            scope.spawn(move || {
                edit::<_, FileError>(path, true, |file| {
                    file.add(format!("user{number}:certificate::").parse().unwrap());
                    Ok(())
                })
                .unwrap();
            });
        }
    });
    assert_eq!(load(&path).unwrap().entries().count(), 8);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no other file is left");
}

proptest! {
    #[test]
    fn any_text_is_a_file_of_users_or_has_named_errors(
        lines in proptest::collection::vec(
            "(alice|bob|#|)(:|)(secret|token|certificate|scram-sha-256|)(:|)([A-Za-z0-9+/=:-]{0,60})(:.{0,9})?",
            0..6,
        ),
    ) {
        match UsersFile::parse(&lines.join("\n")) {
            Ok(file) => {
                let again = UsersFile::parse(&file.to_string());
                prop_assert_eq!(again.as_ref(), Ok(&file));
            }
            Err(errors) => prop_assert!(errors.iter().all(|error| error.line >= 1)),
        }
    }
}
