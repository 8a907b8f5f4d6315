//! What is made of a report besides the table and the document: a page, and a comparison with another report.

mod compare;
mod page;
