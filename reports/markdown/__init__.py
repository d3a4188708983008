# SPDX-License-Identifier: GPL-2.0-or-later
"""Reports in GitHub-flavoured Markdown: the escaping, and the templates that share their pieces."""
