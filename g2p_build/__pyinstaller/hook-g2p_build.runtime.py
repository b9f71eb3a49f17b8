"""The runtime's schemas go into a frozen program with it."""

from PyInstaller.utils.hooks import collect_data_files

datas = collect_data_files("g2p_build.runtime")
