"""Results for readers: comparisons with published figures, tables, figures, and the pages that hold them."""
