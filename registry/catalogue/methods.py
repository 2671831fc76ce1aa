"""The catalogue's use cases by the full name of their RPC."""

from __future__ import annotations

from hub.application.transaction import UseCase
from registry.catalogue.entries import create_entry, get_entry, list_entries, list_entry_versions, retire_entry, update_entry
from registry.catalogue.importing import export_entries, get_entry_import, import_entries
from registry.catalogue.merging import confirm_merge, list_merge_proposals, reject_merge

METHODS: dict[str, UseCase] = {
    "yrd.registry.v1.CatalogueService.CreateEntry": create_entry,
    "yrd.registry.v1.CatalogueService.UpdateEntry": update_entry,
    "yrd.registry.v1.CatalogueService.RetireEntry": retire_entry,
    "yrd.registry.v1.CatalogueService.GetEntry": get_entry,
    "yrd.registry.v1.CatalogueService.ListEntries": list_entries,
    "yrd.registry.v1.CatalogueService.ListEntryVersions": list_entry_versions,
    "yrd.registry.v1.CatalogueService.ImportEntries": import_entries,
    "yrd.registry.v1.CatalogueService.GetEntryImport": get_entry_import,
    "yrd.registry.v1.CatalogueService.ExportEntries": export_entries,
    "yrd.registry.v1.CatalogueService.ListMergeProposals": list_merge_proposals,
    "yrd.registry.v1.CatalogueService.ConfirmMerge": confirm_merge,
    "yrd.registry.v1.CatalogueService.RejectMerge": reject_merge,
}
