// SPDX-License-Identifier: GPL-2.0

//! What a SET_INFO tells those who watch the directory, [MS-FSA] 2.1.5.15 and 2.1.4.1.

use smb_proto::change_notify::{Action, CompletionFilter};
use smb_proto::file_info::FileInfoClass;
use smb_proto::query_info::InfoType;

use crate::files::notify::{changed, Place, What};
use crate::files::{Object, Open, OpenFiles};

/// Filters that let a change of basic information through.
const BASIC: CompletionFilter = CompletionFilter::ATTRIBUTES
    .union(CompletionFilter::LAST_WRITE)
    .union(CompletionFilter::LAST_ACCESS)
    .union(CompletionFilter::CREATION);

/// A change that is about to be made.
pub(super) struct Telling<'a> {
    files: &'a OpenFiles,
    open: &'a Open,
    change: Change,
}

enum Change {
    /// Nobody is told here: links are told of where they are made.
    Silent,
    About(CompletionFilter),
    /// The file moves away from here.
    Move(Option<Place>),
}

impl<'a> Telling<'a> {
    /// Notes what will have to be told once information of `kind` and `class` is set.
    pub(super) fn before(
        files: &'a OpenFiles,
        open: &'a Open,
        kind: InfoType,
        class: FileInfoClass,
    ) -> Self {
        let change = match (kind, class) {
            (InfoType::SECURITY, _) => Change::About(CompletionFilter::SECURITY),
            (InfoType::FILE, FileInfoClass::BASIC) => Change::About(BASIC),
            (InfoType::FILE, FileInfoClass::END_OF_FILE | FileInfoClass::ALLOCATION) => {
                Change::About(CompletionFilter::SIZE.union(CompletionFilter::LAST_WRITE))
            }
            (InfoType::FILE, FileInfoClass::FULL_EA) => Change::About(CompletionFilter::EA),
            (InfoType::FILE, FileInfoClass::RENAME | FileInfoClass::RENAME_EX) => {
                Change::Move(place_of(files, open))
            }
            _ => Change::Silent,
        };
        Telling {
            files,
            open,
            change,
        }
    }

    /// Tells it.
    pub(super) fn done(self) {
        let Some(root) = self.open.tree.share.directory() else {
            return;
        };
        let Object::File(file) = &self.open.object else {
            return;
        };
        match self.change {
            Change::Silent => {}
            Change::About(filter) => {
                changed(self.files, Some(root), &file.path, What::modified(filter));
            }
            Change::Move(from) => {
                let (Some(from), Some(to)) = (from, place_of(self.files, self.open)) else {
                    return;
                };
                let (old, new) = if from.is_beside(&to) {
                    (Action::RENAMED_OLD_NAME, Action::RENAMED_NEW_NAME)
                } else {
                    (Action::REMOVED, Action::ADDED)
                };
                from.tell(self.files, root, What::entry(old, file.is_directory()));
                to.tell(self.files, root, What::entry(new, file.is_directory()));
            }
        }
    }
}

fn place_of(files: &OpenFiles, open: &Open) -> Option<Place> {
    let Object::File(file) = &open.object else {
        return None;
    };
    Place::of(files, open.tree.share.directory()?, &file.path)
}
