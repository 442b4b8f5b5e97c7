"Packaging: every fact comes from settings.ini."

from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).resolve().parent
ini = ConfigParser(delimiters=["="], interpolation=None)
ini.read(here / "settings.ini", encoding="utf-8")
cfg, readme = ini["DEFAULT"], here / "README.md"
lib = cfg["lib_path"]
status = {
    "1": "1 - Planning",
    "2": "2 - Pre-Alpha",
    "3": "3 - Alpha",
    "4": "4 - Beta",
    "5": "5 - Production/Stable",
}
extras = {
    k.removesuffix("_requirements"): v.split()
    for k, v in cfg.items()
    if k.endswith("_requirements")
}

setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    keywords=cfg["keywords"].split(),
    author=cfg["author"],
    author_email=cfg["author_email"],
    license=cfg["license"],
    url=cfg["git_url"],
    project_urls={"Documentation": cfg["doc_host"] + cfg["doc_baseurl"]},
    long_description=readme.read_text(encoding="utf-8") if readme.exists() else cfg["description"],
    long_description_content_type="text/markdown",
    classifiers=[
        f"Development Status :: {status[cfg['status']]}",
        f"Intended Audience :: {cfg['audience']}",
        f"Natural Language :: {cfg['language']}",
        "Programming Language :: Python :: 3",
    ],
    python_requires=">=" + cfg["min_python"],
    packages=find_packages(include=[lib, lib + ".*"]) + [f"{lib}.checkpoint"],
    package_dir={
        f"{lib}.checkpoint": "checkpoint"
    },  # the shipped lifter lies at the top of the repository
    package_data={
        "": ["*.json", "*.csv", "*.html", "*.toml", "*.safetensors", "marker_sets/*.toml"],
        f"{lib}.checkpoint": ["*.md"],
    },
    zip_safe=False,
    install_requires=cfg["requirements"].split(),
    extras_require=extras,
    entry_points={
        "console_scripts": cfg["console_scripts"].split(),
        "nbdev": [f"{lib}={lib}._modidx:d"],
    },  # lets `backticks` in other notebooks link to this library
)
