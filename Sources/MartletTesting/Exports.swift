@_exported import Martlet
