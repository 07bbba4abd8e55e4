//! YAML that people write, as one tree of nodes with line, column and the scalar's original text.
