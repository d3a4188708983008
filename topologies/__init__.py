# SPDX-License-Identifier: GPL-2.0-or-later
"""The documented networks as data, the catalogue of claims, and the schema that reads them."""
