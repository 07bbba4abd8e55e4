//! What is seen and wanted, and the write that comes of it.
